package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"stet/internal/state"
)

// stateDirectories are the state of a machine outside /etc.
var stateDirectories = []string{"var", "home", "root", "srv", "opt"}

// accountFiles have fields that belong to users; the boot takes these fields and
// nothing else from them.
var accountFiles = []string{"passwd", "shadow"}

// SavedStateError says why a directory is none with a machine's saved state.
type SavedStateError struct{ Directory, Reason string }

// Error implements error.
func (e *SavedStateError) Error() string { return e.Directory + ": " + e.Reason }

// CheckSavedState refuses a directory that has no state of a machine: of its
// directories (/stet/state), or of / as a backup has it, at least one is there.
func CheckSavedState(dir string) error {
	for _, name := range append([]string{"etc"}, stateDirectories...) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			return nil
		}
	}
	return &SavedStateError{dir, "it has none of the directories etc, " + strings.Join(stateDirectories, ", ")}
}

// restore puts the saved state of a machine into the stage. Declared gives a file
// with the content that a name in /etc has in the new system, or nothing.
func (s *stage) restore(saved string, policy state.Policy, etcImage string, declared func(name string) (content string)) error {
	all := func(string) bool { return true }
	for _, name := range stateDirectories {
		tree := copying{from: filepath.Join(saved, name), to: filepath.Join(s.dir, "state", name), keep: all}
		if err := s.copyTree(tree); err != nil {
			return fmt.Errorf("copy the saved state: %w", err)
		}
	}
	// What is carried is what the next boot finds in the newest upper.
	etc := filepath.Join(saved, "etc")
	if uppers, err := state.Uppers(etc); err != nil {
		return err
	} else if len(uppers) > 0 {
		etc = uppers[len(uppers)-1].Upper()
	}
	if _, err := os.Stat(etc); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	upper, err := state.Begin(filepath.Join(s.dir, "state/etc"), nil, etcImage)
	if err != nil {
		return err
	}
	keep := func(name string) bool {
		for _, file := range accountFiles {
			if name == file {
				return true
			}
		}
		return policy.Persists("/etc/" + name)
	}
	if err := s.copyTree(copying{etc, upper.Upper(), keep, declared}); err != nil {
		return fmt.Errorf("copy the saved state of /etc: %w", err)
	}
	_, err = upper.Finish()
	return err
}

// copying is a tree that is copied.
type copying struct {
	from, to string
	keep     func(name string) bool

	// declared gives the content of a file of which the upper directory of an overlay
	// has no more than owner, mode and attributes, or nothing; nil when from is none.
	declared func(name string) (content string)
}

// copyTree copies what is kept, with everything that files have: owner, mode,
// times, extended attributes. Directories on the way to what is kept are made.
func (s *stage) copyTree(c copying) error {
	var directories []string
	err := filepath.WalkDir(c.from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == c.from && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		name, err := filepath.Rel(c.from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			directories = append(directories, name)
			if name == "." || c.keep(name) {
				return makeAlike(path, filepath.Join(c.to, name))
			}
			return nil
		}
		if !c.keep(name) {
			return nil
		}
		return s.copyEntry(c, name)
	})
	if err != nil {
		return err
	}
	// Now that nothing is put into them any more, directories get their times.
	for i := len(directories) - 1; i >= 0; i-- {
		target := filepath.Join(c.to, directories[i])
		if _, err := os.Lstat(target); err != nil {
			continue
		}
		if err := setTimes(filepath.Join(c.from, directories[i]), target); err != nil {
			return err
		}
	}
	return nil
}

// copyEntry copies what is no directory. Sockets mean nothing without the program
// that made them.
func (s *stage) copyEntry(c copying, name string) error {
	source, target := filepath.Join(c.from, name), filepath.Join(c.to, name)
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	content, err := c.content(name, info)
	if err != nil || content == "" {
		return err
	}
	if err := makeParents(c.from, c.to, filepath.Dir(name)); err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	switch info.Mode().Type() {
	case fs.ModeSocket:
		return nil
	case fs.ModeSymlink:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		if err := errors.Join(os.Symlink(link, target), os.Lchown(target, int(stat.Uid), int(stat.Gid))); err != nil {
			return err
		}
		return setTimes(source, target)
	case 0:
		if err := s.copySparse(content, target); err != nil {
			return err
		}
	default:
		if err := unix.Mknod(target, stat.Mode, int(stat.Rdev)); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	if err := setOwner(source, target, info); err != nil {
		return err
	}
	return setTimes(source, target)
}

// content is where the content of a file is: itself, unless somebody changed nothing
// but its owner or mode on the machine that is lost. The image with the content is
// lost, too, so it is the new system's; empty when that has no such file.
func (c copying) content(name string, info fs.FileInfo) (file string, err error) {
	file = filepath.Join(c.from, name)
	if c.declared == nil || !info.Mode().IsRegular() {
		return file, nil
	}
	_, err = unix.Lgetxattr(file, "trusted.overlay.metacopy", nil)
	switch {
	case errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP):
		return file, nil
	case err != nil:
		return "", fmt.Errorf("read attributes of %s: %w", file, err)
	}
	return c.declared(name), nil
}

// makeParents makes a directory and those above it, as they are in from.
func makeParents(from, to, dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(to, dir)); err == nil {
		return nil
	}
	if err := makeParents(from, to, filepath.Dir(dir)); err != nil {
		return err
	}
	return makeAlike(filepath.Join(from, dir), filepath.Join(to, dir))
}

// makeAlike makes a directory like another one; it may be there.
func makeAlike(source, target string) error {
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	if err := os.Mkdir(target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return setOwner(source, target, info)
}

func (s *stage) copySparse(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := s.buffers.stream(io.NewOffsetWriter(out, data), io.NewSectionReader(in, data, hole-data)); err != nil {
			return err
		}
		at = hole
	}
	return out.Close()
}

// setOwner gives target owner, mode and extended attributes of source. Those of
// an overlay are not the file's.
func setOwner(source, target string, info fs.FileInfo) error {
	stat := info.Sys().(*syscall.Stat_t)
	if err := os.Lchown(target, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(target, stat.Mode&0o7777); err != nil {
		return fmt.Errorf("chmod %s: %w", target, err)
	}
	names := make([]byte, 64<<10)
	n, err := unix.Llistxattr(source, names)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list attributes of %s: %w", source, err)
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" || strings.HasPrefix(name, "trusted.overlay.") {
			continue
		}
		n, err := unix.Lgetxattr(source, name, value)
		if err != nil {
			return fmt.Errorf("read %s of %s: %w", name, source, err)
		}
		if err := unix.Lsetxattr(target, name, value[:n], 0); err != nil {
			return fmt.Errorf("set %s of %s: %w", name, target, err)
		}
	}
	return nil
}

func setTimes(source, target string) error {
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	at := unix.NsecToTimespec(info.ModTime().UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, target, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}
