package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/layout"
	"stet/internal/mount"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
)

// LaidOut provides roots as overlays over a directory that has the tree. That
// works in a user namespace, where the kernel mounts no image: it is how an
// ordinary user builds.
type LaidOut struct {
	// Copies gives every file a content of its own, as a kernel before 6.16
	// needs it. Without it, the kernel is tried.
	Copies bool
	// Shuffle is as that of [Overlay].
	Shuffle uint64
}

// Provide implements [Provider]. Where files need no contents of their own, the directory
// is in memory with what changes.
func (o LaidOut) Provide(s *store.Store, before *tree.Tree, memory bool) (Provided, error) {
	d, err := o.directory(s, "")
	if err != nil {
		return nil, err
	}
	l, err := newLayered(s, before, "user.overlay.", memory && d.objects != "")
	if err != nil {
		return nil, err
	}
	if err := o.lay(d, s, l.changes(), before); err != nil {
		if l.memory != nil && errors.Is(err, unix.ENOSPC) {
			err = errMemory
		}
		return nil, errors.Join(err, l.Close())
	}
	l.mount = d.root
	return l, nil
}

// lay lays a tree out below dir, in a directory or divided over two of them.
func (o LaidOut) lay(d *directory, s *store.Store, dir string, t *tree.Tree) error {
	d.path = filepath.Join(dir, "tree")
	if o.Shuffle == 0 {
		return d.write(s, t)
	}
	above, beneath, err := divide(t, o.Shuffle, copiedSize)
	if err != nil {
		return err
	}
	// Only from the lowest directory does the kernel go on to the objects.
	over := directory{path: d.path}
	d.path = filepath.Join(dir, "beneath")
	if err := errors.Join(over.write(s, above), d.write(s, beneath)); err != nil {
		return err
	}
	d.path, d.beneath = over.path, d.path
	return nil
}

// copiedSize is how large a file can be, in bytes, that is copied where others
// are not: a page, since the copies may lie in memory.
const copiedSize = 4 << 10

// keptLayouts is how many trees stay laid out for the next time they are
// viewed: a shell of a machine views four.
const keptLayouts = 8

// View implements [Provider]. The tree stays laid out, so that viewing it
// again costs nothing.
func (o LaidOut) View(s *store.Store, digest string, _ verity.Digest) (View, error) {
	kept := filepath.Join(s.Dir(), "laidout")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return nil, fmt.Errorf("lay out a tree: %w", err)
	}
	d, err := o.directory(s, filepath.Join(kept, digest))
	if err != nil {
		return nil, err
	}
	if d.objects == "" {
		d.path += copiedSuffix // another kernel may have laid it out without contents
	}
	for err = d.use(); errors.Is(err, os.ErrNotExist); err = d.use() {
		if err := d.make(s, digest); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("use %s: %w", d.path, err)
	}
	removeLayouts(kept)
	return d, nil
}

// copiedSuffix is that of a directory whose files have copies of their contents.
const copiedSuffix = "-copied"

// directory is a tree in a directory.
type directory struct {
	path    string
	beneath string // what else of the tree lies below it; or ""
	objects string // where its files have their contents; empty when they have copies
	inUse   *os.File
}

// directory says what a directory will be like, by trying.
func (o LaidOut) directory(s *store.Store, path string) (*directory, error) {
	probe, err := s.TempDir("root")
	if err != nil {
		return nil, fmt.Errorf("lay out a tree: %w", err)
	}
	redirects, err := layout.FollowsRedirects(probe)
	if err = errors.Join(err, os.RemoveAll(probe)); err != nil {
		return nil, fmt.Errorf("lay out a tree: %w", err)
	}
	d := &directory{path: path}
	if redirects && !o.Copies {
		d.objects = s.ObjectsDir()
	}
	return d, nil
}

// write makes the directory.
func (d *directory) write(s *store.Store, t *tree.Tree) error {
	if err := os.Mkdir(d.path, 0o755); err != nil {
		return err
	}
	return layout.Writer{Objects: s.ObjectsDir(), Redirect: d.objects != ""}.Write(d.path, t)
}

// make lays a tree of the store out, whole or not at all. Somebody else may be
// quicker.
func (d *directory) make(s *store.Store, digest string) error {
	t, err := s.Tree(digest)
	if err != nil {
		return err
	}
	dir, err := s.TempDir("layout")
	if err != nil {
		return err
	}
	made := *d
	made.path = filepath.Join(dir, "tree")
	err = made.write(s, t)
	if err == nil {
		err = s.Sync() // after a power cut, what has the name is whole
	}
	if err == nil {
		if err = os.Rename(made.path, d.path); errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, os.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// use keeps others from removing the directory until Close.
func (d *directory) use() error {
	file, err := os.Open(d.path)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH); err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err := os.Lstat(d.path); err != nil { // removed before the lock was there
		return errors.Join(err, file.Close())
	}
	d.inUse = file
	// The directory's own time is the tree's, so a file beside it has that of the use.
	now := time.Now()
	mark, err := os.OpenFile(d.path+usedSuffix, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	return errors.Join(mark.Close(), os.Chtimes(mark.Name(), now, now))
}

// usedSuffix is that of the file whose time is that of the last use.
const usedSuffix = ".used"

// removedSuffix is that of a directory that is being removed.
const removedSuffix = ".removed"

// removeLayouts leaves those used last. One in use stays; so does one that
// cannot be removed, until the next time.
func removeLayouts(kept string) {
	entries, _ := os.ReadDir(kept)
	var names []string
	used := map[string]int64{}
	for _, e := range entries {
		name := filepath.Join(kept, e.Name())
		switch filepath.Ext(name) {
		case usedSuffix:
		case removedSuffix: // whoever removed it was killed
			_ = os.RemoveAll(name)
		default:
			names = append(names, name)
			if mark, err := os.Stat(name + usedSuffix); err == nil {
				used[name] = mark.ModTime().UnixNano()
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(used[b], used[a]) })
	for _, name := range names[min(keptLayouts, len(names)):] {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		// What is half removed must not have the name.
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && os.Rename(name, name+removedSuffix) == nil {
			_ = os.Remove(name + usedSuffix)
			_ = os.RemoveAll(name + removedSuffix)
		}
		file.Close()
	}
}

func (d *directory) root(upper, work string) sandbox.Mount { return d.Mount("/", upper, work) }

// Mount implements [View].
func (d *directory) Mount(target, upper, work string) sandbox.Mount {
	if upper == "" && d.objects == "" {
		return sandbox.Mount{Target: target, Bind: &sandbox.Bind{Source: d.path, ReadOnly: true}}
	}
	return sandbox.Mount{Target: target, Overlay: &mount.Overlay{
		Lower: d.path, Beneath: d.beneath, Objects: d.objects, Upper: upper, Work: work, Volatile: upper != "", Unnamed: true, Source: "stet:" + filepath.Base(d.path),
	}}
}

// Close implements [View].
func (d *directory) Close() error {
	if d.inUse == nil {
		return nil
	}
	return d.inUse.Close()
}
