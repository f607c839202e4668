package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/generation"
	"stet/internal/progress"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system"
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
	return s.restore(c.State, policy, c.Manifest.Images["etc"].String())
}

// sealed is a file that has its fs-verity metadata behind its content, and is to
// be told so.
type sealed struct {
	name string // in the file system
	size int64  // of the content alone
}

// stage is a directory with everything that the file system will have.
type stage struct {
	dir     string
	buffers sync.Pool

	mu     sync.Mutex
	sealed []sealed
}

// fill lays the content out in a directory.
func (c Content) fill(ctx context.Context, dir string, objects []verity.Digest) (*stage, error) {
	s := &stage{dir: dir, buffers: sync.Pool{New: func() any { return new([256 << 10]byte) }}}
	if err := s.spread("objects"); err != nil {
		return nil, err
	}
	if err := s.seal(ctx, c, objects); err != nil {
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
	record, err := c.Record.Text()
	if err != nil {
		return nil, err
	}
	return s, errors.Join(
		s.copy(c.Store.SystemPath(c.Record.System), "systems/"+c.Record.System, 0o600),
		s.copy(filepath.Join(c.Store.Dir(), "format.json"), "format.json", 0o600),
		s.write("generations/"+strconv.Itoa(c.Record.Number)+"/record.json", record, 0o600),
		s.copy(c.Stet, "bin/stet", 0o755),
		s.directories(),
		s.repository(ctx, c),
	)
}

// topDirectory is FS_TOPDIR_FL of the kernel's include/uapi/linux/fs.h.
const topDirectory = 0x00020000

// spread makes a directory whose directories ext4 puts far from one another. Where
// they are close, each new file passes over all inodes that were freed in the last
// minutes, such as those of the image before: that takes longer than the writing.
// Other file systems do not know the flag.
func (s *stage) spread(name string) error {
	dir := filepath.Join(s.dir, name)
	if err := makeDirectory(dir); err != nil {
		return err
	}
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	_ = unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, topDirectory)
	return nil
}

// objects gives every object that the generation needs, each once, and how many
// bytes a file system has to have for all of the content.
func (c Content) objects() (all []verity.Digest, bytes int64, err error) {
	seen := map[verity.Digest]bool{{}: true}
	add := func(d verity.Digest, size int64) {
		if !seen[d] {
			seen[d] = true
			all = append(all, d)
			bytes += taken(size)
		}
	}
	for _, digest := range c.Manifest.Trees {
		t, err := c.Store.Tree(digest)
		if err != nil {
			return nil, 0, err
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
			return nil, 0, err
		}
		add(d, info.Size())
	}
	for _, d := range c.Manifest.Images {
		info, err := os.Stat(c.Store.ImagePath(d))
		if err != nil {
			return nil, 0, err
		}
		bytes += 2 * taken(info.Size()) // the tree is about as large
	}
	return all, bytes, nil
}

// taken is what a sealed file takes of a file system with blocks of 4096 bytes:
// content, hashes, descriptor.
func taken(size int64) int64 { return (size+4095)/4096*4096 + size/127 + 2*4096 }

// seal puts objects into the stage, with what ext4 keeps behind a sealed file.
func (s *stage) seal(ctx context.Context, c Content, objects []verity.Digest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range objects {
		if ctx.Err() != nil {
			break
		}
		if i%500 == 0 {
			c.Report.Report(progress.Event{Stage: "gather the disk's content", Done: int64(i), Total: int64(len(objects))})
		}
		group.Go(func() error {
			name := d.String()
			return s.sealFile(c.Store.ObjectPath(d), "objects/"+name[:2]+"/"+name[2:], d)
		})
	}
	return group.Wait()
}

// sealFile is seal of one file, which is found damaged when it is.
func (s *stage) sealFile(from, name string, digest verity.Digest) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.create(name, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	seal := verity.NewSeal()
	size, err := s.stream(io.MultiWriter(out, seal), in)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	made, metadata := seal.Metadata()
	if made != digest {
		return fmt.Errorf("%s is damaged: its content is not what its name says; delete it and build again", from)
	}
	if _, err := out.WriteAt(metadata, verity.MetadataOffset(size)); err != nil {
		return fmt.Errorf("seal %s: %w", from, err)
	}
	s.mu.Lock()
	s.sealed = append(s.sealed, sealed{name, size})
	s.mu.Unlock()
	return out.Close()
}

// stream copies with a buffer that is used again: there are thousands of files.
func (s *stage) stream(w io.Writer, r io.Reader) (int64, error) {
	buffer := s.buffers.Get().(*[256 << 10]byte)
	defer s.buffers.Put(buffer)
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
	if _, err := s.stream(out, in); err != nil {
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

// directories makes those whose permissions are a matter of their own. The store
// is closed by its top directory, which mke2fs makes.
func (s *stage) directories() error {
	for name, mode := range map[string]os.FileMode{
		"state": 0o755, "state/var": 0o755, "state/home": 0o755, "state/root": 0o700, "state/srv": 0o755, "state/opt": 0o755,
	} {
		dir := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil { // whatever the umask
			return err
		}
	}
	return nil
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
