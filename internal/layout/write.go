package layout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/tree"
)

// The attributes by which overlayfs finds a content elsewhere. They are hidden
// from who looks through the overlay.
const (
	overlayPrefix     = "user.overlay."
	metacopyAttribute = overlayPrefix + "metacopy"
	redirectAttribute = overlayPrefix + "redirect"
)

// Writer writes trees.
type Writer struct {
	Objects  string // the store's directory of objects
	Redirect bool   // files name their object instead of having a copy
}

// batch is how many entries a worker takes at once.
const batch = 128

// Write makes t at and below dir, which is there and empty. Owners are numbers
// of the caller's user namespace.
func (w Writer) Write(dir string, t *tree.Tree) error {
	var directories, others []*tree.Entry
	for e := range t.All() {
		if e.Type == tree.Directory {
			directories = append(directories, e)
		} else {
			others = append(others, e)
		}
	}
	for _, e := range directories { // parents before their children
		if err := os.Mkdir(place(dir, e), 0o700); err != nil && e.Path != "/" {
			return fmt.Errorf("lay out %s: %w", e.Path, err)
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < len(others); start += batch {
		part := others[start:min(start+batch, len(others))]
		group.Go(func() error {
			for _, e := range part {
				if err := w.entry(place(dir, e), e); err != nil {
					return fmt.Errorf("lay out %s: %w", e.Path, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// What is made in a directory changes its time, so these come last.
	for _, e := range directories {
		if err := metadata(place(dir, e), e); err != nil {
			return fmt.Errorf("lay out %s: %w", e.Path, err)
		}
	}
	return nil
}

func place(dir string, e *tree.Entry) string { return filepath.Join(dir, e.Path) }

func (w Writer) entry(name string, e *tree.Entry) error {
	var err error
	switch e.Type {
	case tree.Regular:
		err = w.file(name, e)
	case tree.Symlink:
		err = os.Symlink(e.Target, name)
	case tree.FIFO:
		err = unix.Mkfifo(name, 0o600)
	default:
		err = fmt.Errorf("only root can make a %s", e.Type)
	}
	if err != nil {
		return err
	}
	return metadata(name, e)
}

// file makes a file with the content of its object.
func (w Writer) file(name string, e *tree.Entry) (err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if e.Digest.IsZero() {
		return nil
	}
	object := e.Digest.String()
	object = object[:2] + "/" + object[2:]
	if w.Redirect {
		return w.redirect(file, "/"+object, e.Size)
	}
	content, err := os.Open(filepath.Join(w.Objects, object))
	if err != nil {
		return err
	}
	defer content.Close()
	if unix.IoctlFileClone(int(file.Fd()), int(content.Fd())) == nil {
		return nil
	}
	_, err = io.Copy(file, content)
	return err
}

func (w Writer) redirect(file *os.File, object string, size int64) error {
	if err := file.Truncate(size); err != nil {
		return err
	}
	if err := unix.Fsetxattr(int(file.Fd()), metacopyAttribute, nil, 0); err != nil {
		return fmt.Errorf("set %s: %w", metacopyAttribute, err)
	}
	if err := unix.Fsetxattr(int(file.Fd()), redirectAttribute, []byte(object), 0); err != nil {
		return fmt.Errorf("set %s: %w", redirectAttribute, err)
	}
	return nil
}

// metadata gives a path owner, mode, attributes and time. Their order matters:
// a change of the owner takes setuid bits and capabilities away.
func metadata(name string, e *tree.Entry) error {
	if err := os.Lchown(name, int(e.UID), int(e.GID)); err != nil {
		if errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("its owner %d:%d is no id of this user namespace: %w", e.UID, e.GID, err)
		}
		return err
	}
	if e.Type != tree.Symlink {
		if err := unix.Chmod(name, e.Mode); err != nil {
			return &fs.PathError{Op: "chmod", Path: name, Err: err}
		}
	}
	for _, x := range e.Xattrs {
		if strings.HasPrefix(x.Key, overlayPrefix) {
			return fmt.Errorf("the attribute %s belongs to the kernel", x.Key)
		}
		if err := unix.Lsetxattr(name, x.Key, x.Value, 0); err != nil {
			return fmt.Errorf("set %s: %w", x.Key, err)
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: e.Mtime.Sec, Nsec: int64(e.Mtime.Nsec)}}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: name, Err: err}
	}
	return nil
}
