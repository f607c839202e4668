package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errType says that a path has become something else in the new generation.
var errType = errors.New("the new generation has something else at a directory above it")

// remove makes name absent from the next /etc.
func (c *carrying) remove(name string) error {
	if err := c.checkParents(name, false); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errType) {
			return nil // gone anyway
		}
		return err
	}
	return c.Etc.RemoveAll(name)
}

// copyEntry brings one thing that is not a directory, in place of what the new
// image has there.
func (c *carrying) copyEntry(source *os.Root, name string) error {
	info, err := source.Lstat(name)
	if err != nil {
		return err
	}
	if err := c.checkParents(name, true); err != nil {
		return err
	}
	switch info.Mode().Type() {
	case 0:
		return c.copyFile(source, name, info)
	case fs.ModeSymlink:
		target, err := source.Readlink(name)
		if err != nil {
			return err
		}
		if err := c.Etc.RemoveAll(name); err != nil {
			return err
		}
		if err := c.Etc.Symlink(target, name); err != nil {
			return err
		}
		uid, gid := owner(info)
		return c.Etc.Lchown(name, uid, gid)
	case fs.ModeSocket:
		return nil // means nothing without the program that made it
	default:
		return fmt.Errorf("it is neither file nor directory nor symlink (%v)", info.Mode().Type())
	}
}

func (c *carrying) copyFile(source *os.Root, name string, info fs.FileInfo) error {
	from, err := source.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := c.Etc.RemoveAll(name); err != nil {
		return err
	}
	to, err := c.Etc.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = copyAttributes(from, to, info)
	}
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return c.setTimes(name, info)
}

// copyDirectory makes name a directory with the attributes it has in source,
// keeping what the new image has in it.
func (c *carrying) copyDirectory(source *os.Root, name string, info fs.FileInfo) error {
	if err := c.checkParents(name, true); err != nil {
		return err
	}
	if have, err := c.Etc.Lstat(name); err == nil && !have.IsDir() {
		if err := c.Etc.RemoveAll(name); err != nil {
			return err
		}
	}
	if err := c.Etc.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	from, err := source.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := c.Etc.Open(name)
	if err != nil {
		return err
	}
	defer to.Close()
	return copyAttributes(from, to, info)
}

// checkParents makes sure that all directories above name are directories, not
// symlinks that lead somewhere else. Missing ones are made as they were in the
// previous upper, or are an error.
func (c *carrying) checkParents(name string, make bool) error {
	parent := path.Dir(name)
	if parent == "." {
		return nil
	}
	if err := c.checkParents(parent, make); err != nil {
		return err
	}
	info, err := c.Etc.Lstat(parent)
	if err == nil && !info.IsDir() {
		return errType
	}
	if !errors.Is(err, fs.ErrNotExist) || !make {
		return err
	}
	was, err := c.upper.Lstat(parent)
	if err != nil {
		return err
	}
	if err := c.copyDirectory(c.upper, parent, was); err != nil {
		return err
	}
	return c.setTimes(parent, was)
}

func (c *carrying) setTimes(name string, info fs.FileInfo) error {
	return c.Etc.Chtimes(name, info.ModTime(), info.ModTime())
}

// copyAttributes gives to the owner, mode and extended attributes (ACLs,
// capabilities, user.*) of from, but for overlayfs's own.
func copyAttributes(from, to *os.File, info fs.FileInfo) error {
	uid, gid := owner(info)
	if err := to.Chown(uid, gid); err != nil {
		return err
	}
	if err := to.Chmod(info.Mode()); err != nil { // after chown, which clears setuid
		return err
	}
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(int(from.Fd()), names)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" || strings.HasPrefix(name, "trusted.overlay.") {
			continue
		}
		n, err := unix.Fgetxattr(int(from.Fd()), name, value)
		if err == nil {
			err = unix.Fsetxattr(int(to.Fd()), name, value[:n], 0)
		}
		if err != nil {
			return fmt.Errorf("copy extended attribute %s: %w", name, err)
		}
	}
	return nil
}

func readDirectory(root *os.Root, name string) ([]os.DirEntry, error) {
	directory, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	return directory.ReadDir(-1)
}

// hasAttribute reports whether a file or directory has an extended attribute.
func hasAttribute(root *os.Root, name, attribute string) (bool, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer file.Close()
	_, err = unix.Fgetxattr(int(file.Fd()), attribute, nil)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return false, nil
	}
	return err == nil, err
}

// isWhiteout reports whether info is what overlayfs leaves for a removed name: a
// character device 0:0.
func isWhiteout(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && stat.Rdev == 0
}

func owner(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}

// syncFileSystem writes out the file system that directory is on.
func syncFileSystem(directory string) error {
	d, err := os.Open(directory)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("write out the file system of %s: %w", directory, err)
	}
	return nil
}
