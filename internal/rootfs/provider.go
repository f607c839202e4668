package rootfs

import (
	"os"
	"path/filepath"

	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Provider makes roots that programs can run in, of trees whose contents are
// in a store. How it does so is its own affair: by composefs images where the
// kernel lets it, laid out in directories elsewhere. What is harvested does
// not tell which.
type Provider interface {
	// Provide makes a root that is to be harvested.
	Provide(s *store.Store, before *tree.Tree) (Provided, error)
	// View shows a tree of the store, whose image is there too.
	View(s *store.Store, tree string, image verity.Digest) (View, error)
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

// View is a tree in use.
type View interface {
	// Mount gives the mount of the tree. It cannot be written without the
	// directories upper and work, which take the changes.
	Mount(target, upper, work string) sandbox.Mount
	// Close ends the use.
	Close() error
}

// layered is a root that is an overlay with a fresh upper directory, whatever
// lies below it.
type layered struct {
	store  *store.Store
	before *tree.Tree
	dir    string
	prefix string // of the attributes by which overlayfs keeps its account
	mount  func(upper, work string) sandbox.Mount
	moved  map[string]string // while harvesting: directories to where they were
	buffer [128 << 10]byte   // for names and one value of extended attributes
}

// newLayered makes the directories of a layered root, in dir or, where that is
// "", in the store.
func newLayered(s *store.Store, dir string, before *tree.Tree, prefix string) (*layered, error) {
	dir, err := rootDir(s, dir)
	if err != nil {
		return nil, err
	}
	l := &layered{store: s, before: before, dir: dir, prefix: prefix}
	if err := l.prepare(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// rootDir makes a directory in dir or, where that is "", in the store.
func rootDir(s *store.Store, dir string) (string, error) {
	if dir == "" {
		return s.TempDir("root")
	}
	return os.MkdirTemp(dir, "root-*")
}

func (l *layered) prepare() error {
	for _, dir := range []string{l.upper(), l.lower()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	// The upper is the root's "/": what the host's umask, or a store whose
	// directories pass on their group, made of it must not come out again.
	if err := os.Chown(l.upper(), 0, 0); err != nil {
		return err
	}
	return os.Chmod(l.upper(), 0o755)
}

func (l *layered) upper() string { return filepath.Join(l.dir, "upper") }
func (l *layered) lower() string { return filepath.Join(l.dir, "lower") }

// Root implements [Provided]. Every mount has a work directory of its own:
// the kernel does not take one a second time after a volatile mount.
func (l *layered) Root() (sandbox.Root, error) {
	work, err := os.MkdirTemp(l.dir, "work-*")
	if err != nil {
		return nil, err
	}
	return sandbox.Root{l.mount(l.upper(), work)}, nil
}

// Scratch implements [Provided].
func (l *layered) Scratch() string { return l.dir }

// Close implements [Provided].
func (l *layered) Close() error { return os.RemoveAll(l.dir) }
