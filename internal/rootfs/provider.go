package rootfs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"stet/internal/erofs"
	"stet/internal/mount"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
)

// Provider makes a root that scripts can run in, of a tree whose contents are
// in a store. How it does so is its own affair: an overlay over a composefs
// image where the kernel lets it, a laid-out copy elsewhere.
type Provider interface {
	Provide(s *store.Store, before *tree.Tree) (Provided, error)
}

// Provided is a root in use.
type Provided interface {
	// Root is what a sandbox mounts. Sandboxes use it one after the other.
	Root() (sandbox.Root, error)
	// Harvest gives the tree as it is now. Changed contents are in the store.
	// What was changed or made has the time mtime, except that a file whose
	// content is the old one keeps its own.
	Harvest(mtime tree.Time) (*tree.Tree, error)
	// Scratch is a directory for files that are not part of the root.
	Scratch() string
	// Close removes what the root took on disk.
	Close() error
}

// Overlay provides roots as overlays over a composefs image. It needs root
// and a kernel that mounts EROFS.
type Overlay struct {
	// Shuffle, when it is not 0, divides the tree over two images that lie one
	// on the other: directories list their entries in another order.
	Shuffle uint64
	// Dir is where roots are kept while they are used; "" is the store itself.
	Dir string
}

// Provide implements [Provider].
func (p Overlay) Provide(s *store.Store, before *tree.Tree) (Provided, error) {
	dir, err := p.tempDir(s)
	if err != nil {
		return nil, err
	}
	o := &overlay{store: s, dir: dir, before: before, shuffle: p.Shuffle}
	if err := o.prepare(); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (p Overlay) tempDir(s *store.Store) (string, error) {
	if p.Dir == "" {
		return s.TempDir("root")
	}
	return os.MkdirTemp(p.Dir, "root-*")
}

type overlay struct {
	store   *store.Store
	before  *tree.Tree
	dir     string
	shuffle uint64
	buffer  [128 << 10]byte // for names and one value of extended attributes
}

func (o *overlay) prepare() error {
	for _, dir := range []string{o.upper(), filepath.Dir(o.image())} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	// The upper is the root's "/": what the host's umask, or a store whose
	// directories pass on their group, made of it must not come out again.
	if err := os.Chown(o.upper(), 0, 0); err != nil {
		return err
	}
	if err := os.Chmod(o.upper(), 0o755); err != nil {
		return err
	}
	if o.shuffle == 0 {
		return writeImage(o.image(), o.before)
	}
	above, beneath, err := divide(o.before, o.shuffle)
	if err != nil {
		return err
	}
	return errors.Join(writeImage(o.image(), above), writeImage(o.beneath(), beneath))
}

func writeImage(name string, t *tree.Tree) error {
	image, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(erofs.Write(image, t), image.Close())
}

// divide gives two trees that, one laid on the other, are the tree: both have
// every directory, and one of them each file. An overlay lists the entries of
// its lowest layer first.
func divide(t *tree.Tree, seed uint64) (above, beneath *tree.Tree, err error) {
	var entries [2][]tree.Entry
	for e := range t.All() {
		if e.Type == tree.Directory {
			entries[0], entries[1] = append(entries[0], *e), append(entries[1], *e)
			continue
		}
		side := sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, e.Path))[0] & 1
		entries[side] = append(entries[side], *e)
	}
	if above, err = tree.New(entries[0]); err != nil {
		return nil, nil, err
	}
	beneath, err = tree.New(entries[1])
	return above, beneath, err
}

func (o *overlay) upper() string { return filepath.Join(o.dir, "upper") }
func (o *overlay) image() string { return filepath.Join(o.dir, "lower", "image") }

// beneath is the image under the first; there is none when nothing is shuffled.
func (o *overlay) beneath() string {
	if o.shuffle == 0 {
		return ""
	}
	return filepath.Join(o.dir, "lower", "beneath")
}

// Root implements [Provided]. Every mount has a work directory of its own:
// the kernel does not take one a second time after a volatile mount.
func (o *overlay) Root() (sandbox.Root, error) {
	work, err := os.MkdirTemp(o.dir, "work-*")
	if err != nil {
		return nil, err
	}
	return sandbox.Root{{Target: "/", Composefs: &mount.Composefs{
		Image: o.image(), Beneath: o.beneath(), Objects: o.store.ObjectsDir(),
		Upper: o.upper(), Work: work, Volatile: true, Source: "stet:build",
	}}}, nil
}

// Scratch implements [Provided].
func (o *overlay) Scratch() string { return o.dir }

// Close implements [Provided].
func (o *overlay) Close() error { return os.RemoveAll(o.dir) }
