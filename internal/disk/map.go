package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stet/internal/ext4"
	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/verity"
)

// Mapped is a disk with the file system alone, of a machine that gets its kernel from
// elsewhere, as `stet vm` does. Nothing is copied: it has the store's own files.
type Mapped struct {
	image *ext4.Image
	own   string // is removed in the end; empty: stays

	mu     sync.Mutex
	failed error // the first read that did
}

// Map gives the disk. What is not in the store, the machine's repository and the record of
// its generation, is in a directory, which is filled if it is not there; without one there
// is one that goes with the disk. The store has to stay open.
func Map(ctx context.Context, c Content, epoch int64, dir string) (_ *Mapped, err error) {
	m := &Mapped{}
	if dir == "" {
		if m.own, err = c.Store.TempDir("disk"); err != nil {
			return nil, err
		}
		dir = filepath.Join(m.own, "disk")
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("lay the disk out: %w", err), m.Close())
		}
	}()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		err = c.fillOwn(ctx, dir)
		if err != nil {
			return nil, err
		}
	}
	// Of a directory that was there, the record says what else the disk has.
	if c.Record, err = recordIn(dir); err != nil {
		return nil, err
	}
	needs, err := c.amount()
	if err != nil {
		return nil, err
	}
	files, err := c.mappedFiles(needs, dir)
	if err != nil {
		return nil, err
	}
	ids := Derived(c.Record.System)
	m.image, err = ext4.New(ext4.Volume{
		Size: max(mappedSize, 2*needs.bytes>>20<<20), Label: label, UUID: ids("file system"), HashSeed: ids("hash seed"), Time: time.Unix(epoch, 0), Files: files,
	})
	return m, err
}

// mappedSize is the least size of such a disk, in bytes. It takes no room.
const mappedSize = 8 << 30

// Size is that of the disk, in bytes.
func (m *Mapped) Size() int64 { return m.image.Size() }

// Digest names all that the disk says of its files: where they are, too.
func (m *Mapped) Digest() string { return m.image.Digest() }

// ReadAt implements io.ReaderAt.
func (m *Mapped) ReadAt(p []byte, at int64) (int, error) {
	n, err := m.image.ReadAt(p, at)
	if err != nil && err != io.EOF {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.failed == nil {
			m.failed = err
		}
	}
	return n, err
}

// Close removes what the disk has for itself, and gives the first error of reading it:
// the machine was told only that its disk is broken.
func (m *Mapped) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.own == "" {
		return m.failed
	}
	return errors.Join(m.failed, os.RemoveAll(m.own))
}

// fillOwn makes the directory of what is not in the store.
func (c Content) fillOwn(ctx context.Context, dir string) error {
	s := &stage{dir: dir}
	if err := makeDirectory(dir); err != nil {
		return err
	}
	return errors.Join(s.record(c), s.repository(ctx, c))
}

// recordIn reads the only record in a directory.
func recordIn(dir string) (generation.Record, error) {
	names, err := filepath.Glob(filepath.Join(dir, "generations", "*", "record.json"))
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("%s has the records of %d generations", dir, len(names))
	}
	if err != nil {
		return generation.Record{}, err
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		return generation.Record{}, err
	}
	return generation.ParseRecord(text)
}

// mappedFiles are those of the store and of a directory.
func (c Content) mappedFiles(needs amount, dir string) ([]ext4.File, error) {
	used := &buffers{}
	files := []ext4.File{{Path: "objects", Mode: fs.ModeDir | 0o755}}
	sealed := func(name, from string, digest verity.Digest, size int64) {
		files = append(files, ext4.File{
			Path: name, Mode: objectMode, Size: size, Content: hostFile(from),
			Sealed: &ext4.Metadata{Offset: verity.MetadataOffset(size), Size: verity.MetadataSize(size), Content: &seal{from: from, digest: digest, buffers: used}},
		})
	}
	for name, mode := range statePlaces {
		files = append(files, ext4.File{Path: name, Mode: fs.ModeDir | mode})
	}
	for _, o := range needs.objects {
		name := o.Digest.String()
		sealed("objects/"+name[:2]+"/"+name[2:], c.Store.ObjectPath(o.Digest), o.Digest, o.Size)
	}
	add := func(name, from string, mode fs.FileMode) error {
		info, err := os.Stat(from)
		if err == nil {
			files = append(files, ext4.File{Path: name, Mode: mode, Size: info.Size(), Content: hostFile(from)})
		}
		return err
	}
	seen := map[verity.Digest]bool{} // two trees may be the same
	for name, digest := range c.Manifest.Images {
		if seen[digest] {
			continue
		}
		seen[digest] = true
		from := c.Store.ImagePath(digest)
		info, err := os.Stat(from)
		if err != nil {
			return nil, err
		}
		sealed("images/"+digest.String(), from, digest, info.Size())
		of := c.Manifest.Trees[name]
		if err := add("trees/"+of, c.Store.Path(store.Trees, of), 0o600); err != nil {
			return nil, err
		}
	}
	// The program may be made anew while the machine has it.
	stet, err := os.ReadFile(c.Stet)
	if err != nil {
		return nil, err
	}
	files = append(files, ext4.File{Path: "bin/stet", Mode: 0o755, Size: int64(len(stet)), Content: bytes.NewReader(stet)})
	if err := errors.Join(
		add("systems/"+c.Record.System, c.Store.SystemPath(c.Record.System), 0o600),
		add("format.json", filepath.Join(c.Store.Dir(), "format.json"), 0o600),
	); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(from string, entry fs.DirEntry, err error) error {
		if err != nil || from == dir {
			return err
		}
		name, err := filepath.Rel(dir, from)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f := ext4.File{Path: filepath.ToSlash(name), Mode: info.Mode()}
		switch info.Mode().Type() {
		case 0:
			f.Size, f.Content = info.Size(), hostFile(from)
		case fs.ModeSymlink:
			if f.Target, err = os.Readlink(from); err != nil {
				return err
			}
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// hostFile is the content of a file of the host, which is opened when it is read: a
// disk has more of them than a process may have open.
type hostFile string

// ReadAt implements io.ReaderAt.
func (name hostFile) ReadAt(p []byte, at int64) (int, error) {
	file, err := os.Open(string(name))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n, err := file.ReadAt(p, at)
	if n == len(p) {
		err = nil // the end of the file may be reached with it
	}
	return n, err
}

// seal is what lies behind the content of a sealed file. It is made when it is first
// read: few files of a system are.
type seal struct {
	from    string
	digest  verity.Digest
	buffers *buffers

	once     sync.Once
	metadata *bytes.Reader
	failed   error
}

// ReadAt implements io.ReaderAt.
func (s *seal) ReadAt(p []byte, at int64) (int, error) {
	s.once.Do(s.make)
	if s.failed != nil {
		return 0, s.failed
	}
	return s.metadata.ReadAt(p, at)
}

func (s *seal) make() {
	_, metadata, err := s.buffers.metadata(io.Discard, s.from, s.digest)
	s.metadata, s.failed = bytes.NewReader(metadata), err
}
