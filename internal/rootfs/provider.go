package rootfs

import (
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
type Overlay struct{}

// Provide implements [Provider].
func (Overlay) Provide(s *store.Store, before *tree.Tree) (Provided, error) {
	dir, err := s.TempDir("root")
	if err != nil {
		return nil, err
	}
	o := &overlay{store: s, dir: dir, before: before}
	if err := o.prepare(); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

type overlay struct {
	store  *store.Store
	before *tree.Tree
	dir    string
	buffer [128 << 10]byte // for names and one value of extended attributes
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
	image, err := os.Create(o.image())
	if err != nil {
		return err
	}
	defer image.Close()
	return erofs.Write(image, o.before)
}

func (o *overlay) upper() string { return filepath.Join(o.dir, "upper") }
func (o *overlay) image() string { return filepath.Join(o.dir, "lower", "image") }

// Root implements [Provided]. Every mount has a work directory of its own:
// the kernel does not take one a second time after a volatile mount.
func (o *overlay) Root() (sandbox.Root, error) {
	work, err := os.MkdirTemp(o.dir, "work-*")
	if err != nil {
		return nil, err
	}
	return sandbox.Root{{Target: "/", Composefs: &mount.Composefs{
		Image: o.image(), Objects: o.store.ObjectsDir(),
		Upper: o.upper(), Work: work, Volatile: true, Source: "stet:build",
	}}}, nil
}

// Scratch implements [Provided].
func (o *overlay) Scratch() string { return o.dir }

// Close implements [Provided].
func (o *overlay) Close() error { return os.RemoveAll(o.dir) }
