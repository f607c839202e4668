package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"stet/internal/generation"
	"stet/internal/progress"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Content is what is on the file system of a new machine: the store, one
// generation, and the places of the state.
type Content struct {
	Store    *store.Store
	Manifest *system.Manifest
	Stet     string            // path of the stet binary that the machine gets
	Record   generation.Record // of its first generation, which names the system

	// Repository writes the machine's own repository into a directory; nil when
	// there is none.
	Repository func(ctx context.Context, dir string) error

	// State is a directory with the saved state of a machine that is made anew:
	// etc, var, home, root, srv, opt; empty for a machine that begins.
	State string

	Report progress.Func
}

// restore brings the saved state.
func (c Content) restore(s *stage) error {
	if c.State == "" {
		return nil
	}
	c.Report.Report(progress.Event{Stage: "copy the saved state"})
	usr, err := c.Store.Tree(c.Manifest.Trees["usr"])
	if err != nil {
		return err
	}
	policy := state.Policy{}
	if entry, ok := usr.Lookup("/" + state.PolicyFile); ok {
		text, err := c.Store.ReadObject(entry.Digest)
		if err != nil {
			return err
		}
		if policy, err = state.ParsePolicy(text); err != nil {
			return err
		}
	}
	etc, err := c.Store.Tree(c.Manifest.Trees["etc"])
	if err != nil {
		return err
	}
	declared := func(name string) (content string) {
		entry, ok := etc.Lookup("/" + name)
		switch {
		case !ok || entry.Type != tree.Regular:
			return ""
		case entry.Size == 0:
			return os.DevNull
		}
		return c.Store.ObjectPath(entry.Digest)
	}
	return s.restore(c.State, policy, c.Manifest.Images["etc"].String(), declared)
}

// sealed is a file that has its fs-verity metadata behind its content, and is to
// be told so.
type sealed struct {
	name string // in the file system
	size int64  // of the content alone
}

// stage is a directory with everything that the file system will have but objects.
type stage struct {
	dir     string
	buffers buffers
	sealed  []sealed
}

// fill lays the content out in a directory.
func (c Content) fill(ctx context.Context, dir string) (*stage, error) {
	s := &stage{dir: dir}
	if err := makeDirectory(filepath.Join(dir, "objects")); err != nil {
		return nil, err
	}
	for name, digest := range c.Manifest.Images {
		if err := s.sealFile(c.Store.ImagePath(digest), "images/"+digest.String(), digest); err != nil {
			return nil, err
		}
		if err := s.copy(filepath.Join(c.Store.Dir(), "trees", c.Manifest.Trees[name]), "trees/"+c.Manifest.Trees[name], 0o600); err != nil {
			return nil, err
		}
	}
	return s, errors.Join(
		s.copy(c.Store.SystemPath(c.Record.System), "systems/"+c.Record.System, 0o600),
		s.copy(filepath.Join(c.Store.Dir(), "format.json"), "format.json", 0o600),
		s.record(c),
		s.copy(c.Stet, "bin/stet", 0o755),
		s.directories(),
		s.repository(ctx, c),
	)
}

// amount is what the content comes to.
type amount struct {
	objects []store.Object // each once
	bytes   int64          // that a file system has to have for all of it
	staged  int64          // bytes that lie in the store meanwhile, at most
}

// amount adds up what the generation needs.
func (c Content) amount() (amount, error) {
	var a amount
	seen, largest := map[verity.Digest]bool{{}: true}, int64(0)
	add := func(d verity.Digest, size int64) {
		if !seen[d] {
			seen[d] = true
			a.objects = append(a.objects, store.Object{Digest: d, Size: size})
			a.bytes += taken(size)
			largest = max(largest, size)
		}
	}
	for _, digest := range c.Manifest.Trees {
		t, err := c.Store.Tree(digest)
		if err != nil {
			return a, err
		}
		for e := range t.All() {
			add(e.Digest, e.Size)
		}
	}
	for _, d := range []verity.Digest{c.Manifest.Kernel, c.Manifest.Initrd, c.Record.Bundle, c.Record.SourceMap} {
		if d.IsZero() || seen[d] {
			continue
		}
		info, err := os.Stat(c.Store.ObjectPath(d))
		if err != nil {
			return a, err
		}
		add(d, info.Size())
	}
	if largest > smallObject {
		a.staged = slots * taken(largest)
	}
	a.staged = min(a.staged, a.bytes)
	for _, d := range c.Manifest.Images {
		info, err := os.Stat(c.Store.ImagePath(d))
		if err != nil {
			return a, err
		}
		both := 2 * taken(info.Size()) // the tree is about as large
		a.bytes, a.staged = a.bytes+both, a.staged+both
	}
	return a, nil
}

// taken is what a sealed file takes of a file system with blocks of 4096 bytes:
// content, hashes, descriptor.
func taken(size int64) int64 { return (size+4095)/4096*4096 + size/127 + 2*4096 }

// sealFile copies a file into the stage, with what ext4 keeps behind a sealed one.
func (s *stage) sealFile(from, name string, digest verity.Digest) error {
	out, err := s.create(name, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	size, err := s.buffers.seal(out, from, digest)
	if err != nil {
		return err
	}
	s.sealed = append(s.sealed, sealed{name, size})
	return out.Close()
}

// buffers are used again: there are thousands of files.
type buffers struct{ pool sync.Pool }

// seal copies a file, which is found damaged when it is, and puts its fs-verity
// metadata where ext4 keeps it. It gives the size of the content.
func (b *buffers) seal(out *os.File, from string, digest verity.Digest) (int64, error) {
	size, metadata, err := b.metadata(out, from, digest)
	if err != nil {
		return 0, err
	}
	if _, err := out.WriteAt(metadata, verity.MetadataOffset(size)); err != nil {
		return 0, fmt.Errorf("seal %s: %w", from, err)
	}
	return size, nil
}

// metadata copies a file, which is found damaged when it is, and gives its size and its
// fs-verity metadata.
func (b *buffers) metadata(out io.Writer, from string, digest verity.Digest) (int64, []byte, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, nil, err
	}
	defer in.Close()
	seal := verity.NewSeal()
	size, err := b.stream(io.MultiWriter(out, seal), in)
	if err != nil {
		return 0, nil, fmt.Errorf("copy %s: %w", from, err)
	}
	made, metadata := seal.Metadata()
	if made != digest {
		return 0, nil, fmt.Errorf("%s is damaged: its content is not what its name says; delete it and build again", from)
	}
	return size, metadata, nil
}

// stream copies with a buffer of the pool.
func (b *buffers) stream(w io.Writer, r io.Reader) (int64, error) {
	buffer, ok := b.pool.Get().(*[256 << 10]byte)
	if !ok {
		buffer = new([256 << 10]byte)
	}
	defer b.pool.Put(buffer)
	// Without the methods by which files would be copied past the buffer.
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

func (s *stage) create(name string, mode os.FileMode) (*os.File, error) {
	target := filepath.Join(s.dir, name)
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if errors.Is(err, os.ErrNotExist) {
		if err = makeDirectory(filepath.Dir(target)); err == nil {
			out, err = os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
		}
	}
	if err != nil {
		return nil, err
	}
	return out, out.Chmod(mode) // whatever the umask
}

// makeDirectory makes a directory and those above it, whatever the umask. Another
// worker may be quicker.
func makeDirectory(name string) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := makeDirectory(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Mkdir(name, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chmod(name, 0o755)
}

func (s *stage) copy(from, name string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.create(name, mode)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := s.buffers.stream(out, in); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return out.Close()
}

func (s *stage) write(name string, data []byte, mode os.FileMode) error {
	out, err := s.create(name, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return errors.Join(err, out.Close())
}

// statePlaces are those whose permissions are a matter of their own. The store
// is closed by its top directory, which mke2fs makes.
var statePlaces = map[string]os.FileMode{
	"state": 0o755, "state/var": 0o755, "state/home": 0o755, "state/root": 0o700, "state/srv": 0o755, "state/opt": 0o755,
}

func (s *stage) directories() error {
	for name, mode := range statePlaces {
		dir := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

func (s *stage) record(c Content) error {
	record, err := c.Record.Text()
	if err != nil {
		return err
	}
	return s.write("generations/"+strconv.Itoa(c.Record.Number)+"/record.json", record, 0o600)
}

func (s *stage) repository(ctx context.Context, c Content) error {
	if c.Repository == nil {
		return nil
	}
	dir := filepath.Join(s.dir, "repository")
	if err := makeDirectory(dir); err != nil {
		return err
	}
	return c.Repository(ctx, dir)
}
