package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/verity"
)

// bufferSize is how much of a content is held in memory before a file is made
// for it. Most contents are smaller, and many are in the store already.
const bufferSize = 1 << 20

// sealing remembers whether the store's file system has fs-verity.
type sealing struct{ unsupported atomic.Bool }

// ObjectPath is where the object of a digest is or would be.
func (s *Store) ObjectPath(d verity.Digest) string {
	return objectPath(filepath.Join(s.dir, "objects"), d)
}

func objectPath(dir string, d verity.Digest) string {
	name := d.String()
	if dir != "" {
		dir += "/"
	}
	return dir + name[:2] + "/" + name[2:]
}

// Has reports whether the object of a digest is in the store.
func (s *Store) Has(d verity.Digest) bool {
	_, err := os.Lstat(s.ObjectPath(d))
	return err == nil
}

// HasObject reports whether an object is there with all of its size, in bytes.
func (s *Store) HasObject(d verity.Digest, size int64) bool { return isWhole(s.ObjectPath(d), size) }

// HasImage reports whether an image is there with all of its size, in bytes.
func (s *Store) HasImage(d verity.Digest, size int64) bool { return isWhole(s.ImagePath(d), size) }

// OpenObject opens an object for reading.
func (s *Store) OpenObject(d verity.Digest) (*os.File, error) {
	file, err := os.Open(s.ObjectPath(d))
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	return file, nil
}

// ReadObject gives the whole content of an object.
func (s *Store) ReadObject(d verity.Digest) ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	data, err := os.ReadFile(s.ObjectPath(d))
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	return data, nil
}

// PutBytes stores data. An empty content is no object: its digest is zero.
func (s *Store) PutBytes(data []byte) (verity.Digest, error) {
	if len(data) == 0 {
		return verity.Digest{}, nil
	}
	d := verity.Sum(data)
	if isWhole(s.ObjectPath(d), int64(len(data))) {
		return d, nil
	}
	return d, s.writeSealed(s.ObjectPath(d), bytes.NewReader(data))
}

// Put stores what r gives until its end, and tells digest and size. An empty
// content is no object: its digest is zero.
func (s *Store) Put(r io.Reader) (verity.Digest, int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	n, err := fill(buffer[:], r)
	switch {
	case errors.Is(err, io.EOF):
		d, err := s.PutBytes(buffer[:n])
		return d, int64(n), err
	case err != nil:
		return verity.Digest{}, int64(n), err
	}
	return s.putLarge(io.MultiReader(bytes.NewReader(buffer[:]), r))
}

// buffers are what Put reads into. A package has thousands of files, most of
// them small: growing a buffer for each was most of what unpacking allocated.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// fill reads until p is full or r has an error. Unlike io.ReadFull it tells the
// end of r from a content that was cut off.
func fill(p []byte, r io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	if n == len(p) {
		return n, nil // an error comes again at the next read
	}
	return n, err
}

// putLarge writes and hashes a content in one pass.
func (s *Store) putLarge(r io.Reader) (verity.Digest, int64, error) {
	file, err := s.tempFile(filepath.Join(s.dir, "tmp"))
	if err != nil {
		return verity.Digest{}, 0, err
	}
	defer file.discard()
	hash := verity.NewHash()
	if _, err := io.Copy(io.MultiWriter(file, hash), r); err != nil {
		return verity.Digest{}, 0, fmt.Errorf("write object: %w", err)
	}
	size, d := hash.Size(), hash.Sum()
	return d, size, s.link(file, s.ObjectPath(d))
}

// A ForeignError says that a content that came from elsewhere is not the one that
// it was said to be.
type ForeignError struct{ Want, Have verity.Digest }

// Error implements error.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("what came as object %s is %s", e.Want, e.Have)
}

// PutObject stores a content that comes from elsewhere, if it is the one that d
// names: else a [ForeignError], and nothing is stored. It replaces an object that
// is there, since whoever fetches it again found it damaged.
func (s *Store) PutObject(d verity.Digest, r io.Reader) error {
	file, err := s.tempFile(filepath.Join(s.dir, "tmp"))
	if err != nil {
		return err
	}
	defer file.discard()
	hash := verity.NewHash()
	if _, err := io.Copy(io.MultiWriter(file, hash), r); err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	if have := hash.Sum(); have != d {
		return &ForeignError{d, have}
	}
	if err := os.Remove(s.ObjectPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write object: %w", err)
	}
	return s.link(file, s.ObjectPath(d))
}

// writeSealed writes a file that is named by its digest, unless somebody else
// was quicker.
func (s *Store) writeSealed(name string, r io.Reader) error {
	// In the directory where it will have its name: a file system keeps the
	// inodes of a directory together, and writers do not all meet in one.
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	file, err := s.tempFile(dir)
	if err != nil {
		return err
	}
	defer file.discard()
	if _, err := io.Copy(file, r); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return s.link(file, name)
}

// tempFile is a file without a name, or, where the file system cannot make
// one, with a temporary name.
type tempFile struct {
	*os.File
	name string
}

func (s *Store) tempFile(dir string) (*tempFile, error) {
	file, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == nil {
		return &tempFile{File: file}, nil
	}
	file, err = os.CreateTemp(filepath.Join(s.dir, "tmp"), "object-*")
	if err != nil {
		return nil, fmt.Errorf("write object: %w", err)
	}
	return &tempFile{File: file, name: file.Name()}, nil
}

func (t *tempFile) discard() {
	t.Close()
	if t.name != "" {
		os.Remove(t.name)
	}
}

// isWhole reports whether a file is there in its size. After a power cut one that
// was not synced may be there without content, or with a part of it.
func isWhole(name string, size int64) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Size() == size
}

// link seals the file and gives it its name. Somebody else may have been
// quicker; the contents are the same, unless a power cut left a part of one.
func (s *Store) link(file *tempFile, name string) error {
	if err := s.seal(file); err != nil {
		return err
	}
	source := file.name
	if source == "" {
		source = "/proc/self/fd/" + strconv.Itoa(int(file.Fd()))
	}
	give := func() error {
		err := unix.Linkat(unix.AT_FDCWD, source, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
		if file.name != "" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP)) {
			err = os.Rename(file.name, name) // the file system has no links: FAT
		}
		return err
	}
	err := give()
	if errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			err = give()
		}
	}
	if errors.Is(err, unix.EEXIST) {
		err = nil
		if info, statErr := file.Stat(); statErr != nil || !isWhole(name, info.Size()) {
			err = errors.Join(statErr, os.Remove(name), give())
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	fault.Reach(fault.ObjectWritten)
	return nil
}

// seal enables fs-verity where the file system has it: a machine's has, that of
// a build host need not. That wants no writer left, so a read-only descriptor
// takes the place of file.
func (s *Store) seal(file *tempFile) error {
	if s.sealed.unsupported.Load() {
		return nil
	}
	reader, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
	if err != nil {
		return fmt.Errorf("seal a file of the store: %w", err)
	}
	file.Close()
	file.File = reader
	err = verity.Enable(reader)
	if errors.Is(err, verity.ErrUnsupported) {
		s.sealed.unsupported.Store(true)
		return nil
	}
	return err
}
