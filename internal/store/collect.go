package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
)

// Kind is what is kept by digest, as its directory is called.
type Kind string

// The kinds, in the order in which they are collected: what names others goes
// before them.
const (
	Systems Kind = "systems"
	Images  Kind = "images"
	Trees   Kind = "trees"
	Objects Kind = "objects"
)

// BusyError says that the store is in use.
type BusyError struct{ Dir string }

// Error implements error.
func (e *BusyError) Error() string { return "the store " + e.Dir + " is in use" }

// OpenAlone opens the store for whoever collects: nobody else may have it open,
// and nobody can open it before Close. It waits for nobody: a [BusyError] says
// that somebody uses the store.
func OpenAlone(dir string) (*Store, error) {
	return openWith(dir, func(s *Store) error {
		err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return &BusyError{s.dir}
		}
		if err != nil {
			return fmt.Errorf("lock store %s: %w", s.dir, err)
		}
		return s.clear()
	})
}

// Swept is what was deleted, or would be.
type Swept struct {
	Files int
	Bytes int64
}

// Sweep deletes everything of a kind whose digest keep does not hold, if the
// store is this process's alone; with dry it only counts. What a killed one left
// undone, the next one does.
func (s *Store) Sweep(k Kind, keep func(digest string) bool, dry bool) (Swept, error) {
	var swept Swept
	dir := filepath.Join(s.dir, string(k))
	if k != Objects {
		err := s.sweep(dir, "", keep, dry, &swept)
		return swept, err
	}
	halves, err := os.ReadDir(dir)
	if err != nil {
		return swept, fmt.Errorf("collect %s: %w", k, err)
	}
	for _, half := range halves {
		if err := s.sweep(filepath.Join(dir, half.Name()), half.Name(), keep, dry, &swept); err != nil {
			return swept, err
		}
	}
	return swept, nil
}

func (s *Store) sweep(dir, prefix string, keep func(string) bool, dry bool, swept *Swept) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	for _, entry := range entries {
		if keep(prefix + entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !dry {
			err = os.Remove(filepath.Join(dir, entry.Name()))
		}
		if err != nil {
			return fmt.Errorf("collect: %w", err)
		}
		swept.Files++
		swept.Bytes += info.Size()
		if !dry {
			fault.Reach(fault.ObjectRemoved)
		}
	}
	return nil
}

// List gives the digests of everything of a kind but objects, sorted.
func (s *Store) List(k Kind) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, string(k)))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", k, err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, nil
}

// TreeText is the dump of a tree, checked against its digest.
func (s *Store) TreeText(digest string) ([]byte, error) { return s.ReadTreeText(digest, nil) }

// ReadTreeText is TreeText in the memory of buffer, if that is large enough: who
// reads hundreds spends most of the time on memory otherwise.
func (s *Store) ReadTreeText(digest string, buffer []byte) ([]byte, error) {
	return s.readCheckedInto("trees", digest, buffer)
}

// Path is where a tree, image, object or system is or would be.
func (s *Store) Path(k Kind, digest string) string {
	if k == Objects && len(digest) > 2 {
		return filepath.Join(s.dir, string(k), digest[:2], digest[2:])
	}
	return filepath.Join(s.dir, string(k), digest)
}

// Size is how many bytes a tree, image, object or system has.
func (s *Store) Size(k Kind, digest string) (int64, error) {
	info, err := os.Lstat(s.Path(k, digest))
	if err != nil {
		return 0, fmt.Errorf("read from store: %w", err)
	}
	return info.Size(), nil
}
