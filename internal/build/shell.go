package build

import (
	"errors"
	"os"
	"path/filepath"

	"stet/internal/rootfs"
	"stet/internal/sandbox"
	"stet/internal/system"
)

// Shell is a root for a shell, and what was made for it.
type Shell struct {
	Root sandbox.Root

	builder *Builder
	dir     string // takes what is written
	views   []rootfs.View
}

// Shell gives a root with a built system's trees as the machine has them.
// /usr cannot be written; what is written elsewhere is gone with Close.
func (b *Builder) Shell(m *system.Manifest) (_ *Shell, err error) {
	s, err := b.newShell()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, part := range []struct {
		target, name, part string
		writable           bool
	}{
		{"/", "var", "", true}, // it has everything of the root but its mount points
		{"/usr", "usr", "", false},
		{"/usr/lib/modules", "modules", "lib/modules", false},
		{"/etc", "etc", "", true},
	} {
		view, err := b.Provider.View(b.Store, m.Trees[part.name], m.Images[part.name])
		if err != nil {
			return nil, err
		}
		if err := s.show(view, part.target, part.part, part.writable); err != nil {
			return nil, err
		}
	}
	s.link("/boot", "usr/lib/stet/boot")
	for _, name := range []string{"/sys", "/mnt", "/media"} {
		s.Root = append(s.Root, sandbox.Mount{Target: name, Tmpfs: &sandbox.Tmpfs{Mode: 0o755}})
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		s.link("/"+name, "usr/"+name)
	}
	return s, nil
}

func (b *Builder) newShell() (*Shell, error) {
	dir, err := b.Store.TempDir("shell")
	if err != nil {
		return nil, err
	}
	return &Shell{builder: b, dir: dir}, nil
}

// show adds the mount of a view, or of a part of it.
func (s *Shell) show(view rootfs.View, target, part string, writable bool) error {
	s.views = append(s.views, view)
	if !writable {
		shown := view.Mount(target, "", "")
		shown.Part = part
		s.Root = append(s.Root, shown)
		return nil
	}
	base, err := os.MkdirTemp(s.dir, "view-*")
	if err != nil {
		return err
	}
	upper, work := filepath.Join(base, "upper"), filepath.Join(base, "work")
	// The upper is seen as the target itself.
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Chmod(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	s.Root = append(s.Root, view.Mount(target, upper, work))
	return nil
}

func (s *Shell) link(target, to string) {
	s.Root = append(s.Root, sandbox.Mount{Target: target, Link: &sandbox.Link{To: to}})
}

// Close removes what was written.
func (s *Shell) Close() error {
	var err error
	for _, view := range s.views {
		err = errors.Join(err, view.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
