package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/source"
)

// tail is the end of a long text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// runStet runs a command of stet in a repository with a store.
func (b *bench) runStet(ctx context.Context, repository, store string, args ...string) (spent, string, error) {
	cmd := exec.CommandContext(ctx, b.stet, append([]string{"-C", repository}, args...)...)
	cmd.Env = append(os.Environ(), "STET_STORE="+store)
	return measure(cmd)
}

// repository makes a git repository with one stet.yaml.
func (b *bench) repository(name, text string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		return "", err
	}
	return dir, source.Init(context.Background(), dir)
}

// emptyStore makes a store that has the fetched packages of another one and
// nothing else.
func emptyStore(dir, from string) error {
	if err := removeAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, debs), 0o700); err != nil {
		return err
	}
	return linkDebs(dir, from)
}

// debs is where a store has fetched packages.
const debs = "mirror/debs"

// linkDebs gives a store the fetched packages of another one. Links cost nothing, and a
// build only reads them.
func linkDebs(dir, from string) error {
	found, err := os.ReadDir(filepath.Join(from, debs))
	if err != nil {
		return err
	}
	for _, deb := range found {
		if err := os.Link(filepath.Join(from, debs, deb.Name()), filepath.Join(dir, debs, deb.Name())); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	unix.Sync()
	return nil
}

// removeAll removes what a run left, and then waits until the disk has rest:
// no run pays for the one before it.
func removeAll(dir string) error {
	for line := range strings.Lines(readText("/proc/self/mounts")) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], dir+"/") {
			return fmt.Errorf("%s is mounted: unmount it before %s can be removed", words[1], dir)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	unix.Sync()
	return nil
}

// topDirectory is FS_TOPDIR_FL of linux/fs.h: what is in this directory is not related
// (chattr(1), "T").
const topDirectory = 0x00020000

// keepApart has ext4 put each directory in dir elsewhere on the disk. Without a journal,
// it passes over inodes that were freed in the last minutes, one by one, and who makes
// files would pay for those that others removed: dpkg removes thousands. Other file
// systems know no such flag, and need none.
func keepApart(dir string) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags|topDirectory))
	}
}

// recent is how long ext4 without a journal passes over inodes that were freed.
const recent = 70 * time.Second

// settle removes what runs left, by patterns of names, and waits until nobody pays for
// that: all that is measured would need more room than many disks have.
func (b *bench) settle(ctx context.Context, patterns ...string) error {
	var left []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(b.dir, pattern))
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	if len(left) == 0 {
		return nil
	}
	say("remove what was built, and let the disk have rest")
	for _, name := range left {
		if err := removeAll(name); err != nil {
			return err
		}
	}
	select {
	case <-time.After(recent):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
