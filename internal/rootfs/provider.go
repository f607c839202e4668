package rootfs

import (
	"errors"
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
	// Provide makes a root that is to be harvested. What changes in it may be kept in
	// memory, where that is quicker.
	Provide(s *store.Store, before *tree.Tree, memory bool) (Provided, error)
	// View shows a tree of the store, whose image is there too.
	View(s *store.Store, tree string, image verity.Digest) (View, error)
}

// Provided is a root in use.
type Provided interface {
	// room is where changes are written.
	room() (room, error)
	// Root is what a sandbox mounts. Sandboxes use it one after the other.
	Root() (sandbox.Root, error)
	// Harvest gives the tree as it is now. Changed contents are in the store.
	// What was changed or made has the time mtime, except that a file whose
	// content is the old one keeps its own.
	Harvest(mtime tree.Time) (*tree.Tree, error)
	// Close removes what the root took.
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
	memory *inMemory // has what is changed; nil: dir has
	prefix string    // of the attributes by which overlayfs keeps its account
	mount  func(upper, work string) sandbox.Mount
	moved  map[string]string // while harvesting: directories to where they were
	buffer [128 << 10]byte   // for names and one value of extended attributes
}

// newLayered makes the directories of a layered root.
func newLayered(s *store.Store, before *tree.Tree, prefix string, memory bool) (*layered, error) {
	dir, err := s.TempDir("root")
	if err != nil {
		return nil, err
	}
	l := &layered{store: s, before: before, dir: dir, prefix: prefix}
	if memory {
		l.memory = newInMemory(prefix)
	}
	if err := l.prepare(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *layered) prepare() error {
	if err := os.Mkdir(l.upper(), 0o755); err != nil {
		return err
	}
	// The upper is the root's "/": what the host's umask, or a store whose
	// directories pass on their group, made of it must not come out again.
	if err := os.Chown(l.upper(), 0, 0); err != nil {
		return err
	}
	return os.Chmod(l.upper(), 0o755)
}

func (l *layered) upper() string { return filepath.Join(l.changes(), "upper") }

// changes is the directory of what is changed.
func (l *layered) changes() string {
	if l.memory != nil {
		return l.memory.dir
	}
	return l.dir
}

func (l *layered) room() (room, error) { return newRoom(l.changes(), l.memory != nil) }

// Root implements [Provided]. Every mount has a work directory of its own:
// the kernel does not take one a second time after a volatile mount.
func (l *layered) Root() (sandbox.Root, error) {
	work, err := os.MkdirTemp(l.changes(), "work-*")
	if err != nil {
		return nil, err
	}
	return sandbox.Root{l.mount(l.upper(), work)}, nil
}

// Close implements [Provided].
func (l *layered) Close() error {
	err := os.RemoveAll(l.dir)
	if l.memory != nil {
		err = errors.Join(err, l.memory.Close())
	}
	return err
}
