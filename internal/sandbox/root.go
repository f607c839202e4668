package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"stet/internal/mount"
)

// Root is what a sandbox has at "/": mounts in their order, the first one
// being the root itself.
type Root []Mount

// Mount is one mount of a [Root]. Exactly one of the others than Target is set.
type Mount struct {
	Target    string // absolute, inside the root; made when it is missing and can be
	Part      string // relative: the directory of a tree that is shown; "" for all of it
	Composefs *mount.Composefs
	Overlay   *mount.Overlay
	Bind      *Bind
	Tmpfs     *Tmpfs
	Link      *Link
	Text      *Text
}

// Bind shows a directory or file of the host.
type Bind struct {
	Source   string
	ReadOnly bool
}

// Tmpfs is an empty file system in memory.
type Tmpfs struct {
	Mode uint32
}

// Link is no mount but a symlink, for a root that is a tmpfs.
type Link struct {
	To string
}

// Text is a read-only file in memory, over a file that is there.
type Text struct {
	Content string
	Mode    uint32
}

// assemble makes the mounts at and below dir, but for texts.
func (r Root) assemble(dir string) error {
	for _, m := range r {
		if m.Text != nil {
			continue
		}
		if err := m.make(filepath.Join(dir, m.Target)); err != nil {
			return fmt.Errorf("make root: %s: %w", m.Target, err)
		}
	}
	return nil
}

// cover lays the texts over the files below dir. They are kept on the tmpfs of
// /tmp, unlinked: a bind needs its source only while it is made.
func (r Root) cover(dir string) error {
	for _, m := range r {
		if m.Text == nil {
			continue
		}
		if err := m.Text.cover(filepath.Join(dir, m.Target), filepath.Join(dir, "tmp", ".text")); err != nil {
			return fmt.Errorf("make root: %s: %w", m.Target, err)
		}
	}
	return nil
}

func (t *Text) cover(target, scratch string) error {
	if err := os.WriteFile(scratch, []byte(t.Content), os.FileMode(t.Mode)); err != nil {
		return err
	}
	bind := Bind{Source: scratch, ReadOnly: true}
	return errors.Join(bind.make(target), os.Remove(scratch))
}

func (m Mount) make(target string) error {
	switch {
	case m.Link != nil:
		return os.Symlink(m.Link.To, target)
	case m.Bind != nil:
		return m.Bind.make(target)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if m.Tmpfs != nil {
		return mount.Tmpfs(target, unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=%04o", m.Tmpfs.Mode))
	}
	made, err := m.detached()
	if err != nil {
		return err
	}
	if err := errors.Join(made.Attach(target), made.Close()); err != nil || m.Part == "" {
		return err
	}
	return mount.Bind(filepath.Join(target, m.Part), target)
}

func (m Mount) detached() (*mount.Mount, error) {
	if m.Overlay != nil {
		return m.Overlay.Mount()
	}
	return m.Composefs.Mount()
}

func (b *Bind) make(target string) error {
	info, err := os.Stat(b.Source)
	if err != nil {
		return err
	}
	if err := makeMountPoint(target, info.IsDir()); err != nil {
		return err
	}
	if err := mount.Bind(b.Source, target); err != nil {
		return err
	}
	if b.ReadOnly {
		return mount.RemountReadOnly(target)
	}
	return nil
}

func makeMountPoint(target string, isDir bool) error {
	if isDir {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}
