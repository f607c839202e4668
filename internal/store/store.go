package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/tree"
)

// formatVersion is what this package writes, and the oldest reader that
// understands it.
const formatVersion = 1

type formatRecord struct {
	Version   int `json:"version"`
	MinReader int `json:"min_reader"`
}

var layout = []string{"objects", "trees", "images", "systems", "memo", "roots", "tmp"}

// Booted is the directory of a store with the states of machines that have booted,
// for `stet test`.
const Booted = "booted"

// Store is an open store. Its methods may be called concurrently, and several
// processes may have the same store open.
type Store struct {
	dir  string
	lock *os.File

	mu      sync.Mutex
	pending map[memoKey][]byte
	sealed  sealing
	trees   map[string]*tree.Tree  // by digest; nil: none is remembered
	texts   map[string]*tree.Lines // the same of those that were not read whole
}

// Open opens the store in dir, which it creates if it is missing, and holds a
// shared lock on it until Close: nobody collects while it is in use.
func Open(dir string) (*Store, error) { return openWith(dir, (*Store).share) }

func openWith(dir string, take func(*Store) error) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	for _, name := range layout {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("open store: %w (STET_STORE names another place)", err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{dir: dir, lock: lock, pending: map[memoKey][]byte{}}
	if err := take(s); err != nil {
		lock.Close()
		return nil, err
	}
	if err := s.checkFormat(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// OpenReadOnly opens a store that nobody changes, or may change: nothing of it is
// locked or written.
func OpenReadOnly(dir string) (*Store, error) {
	s := &Store{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "format.json")); err != nil {
		return nil, fmt.Errorf("%s is no store: %w", dir, err)
	}
	return s, s.checkFormat()
}

// share takes the shared lock. Whoever is alone in the store before that
// takes away what killed processes left in its temporary directory.
func (s *Store) share() error {
	if unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		if err := s.clear(); err != nil {
			return err
		}
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_SH); err != nil {
		return fmt.Errorf("lock store %s: %w", s.dir, err)
	}
	return nil
}

// clear empties the temporary directory.
func (s *Store) clear() error {
	left, err := os.ReadDir(filepath.Join(s.dir, "tmp"))
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	for _, entry := range left {
		if err := os.RemoveAll(filepath.Join(s.dir, "tmp", entry.Name())); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
	}
	return nil
}

// checkFormat refuses a store that only a newer Stet can read.
func (s *Store) checkFormat() error {
	name := filepath.Join(s.dir, "format.json")
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		text, _ = json.Marshal(formatRecord{formatVersion, formatVersion})
		return s.writeFile(name, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	var record formatRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return fmt.Errorf("open store: %s: %w", name, err)
	}
	if record.MinReader > formatVersion {
		return fmt.Errorf("store %s has format %d; this Stet reads up to %d: use a newer Stet, or another store with STET_STORE", s.dir, record.Version, formatVersion)
	}
	return nil
}

// Close ends the use of the store. What was not published stays unreferenced.
func (s *Store) Close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// ObjectsDir is the directory an overlay takes as its data-only layer.
func (s *Store) ObjectsDir() string { return filepath.Join(s.dir, "objects") }

// TempDir makes a directory on the store's file system. The caller removes it.
func (s *Store) TempDir(pattern string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), pattern+"-*")
	if err != nil {
		return "", fmt.Errorf("make a temporary directory in the store: %w", err)
	}
	return dir, nil
}

// Sync makes everything written so far durable.
func (s *Store) Sync() error {
	if err := unix.Syncfs(int(s.lock.Fd())); err != nil {
		return fmt.Errorf("sync store %s: %w", s.dir, err)
	}
	fault.Reach(fault.StoreSynced)
	return nil
}

// writeFile puts data at name, whole or not at all, replacing what is there.
func (s *Store) writeFile(name string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "write-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Close())
	if err == nil {
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			err = os.Rename(temp.Name(), name)
		}
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
