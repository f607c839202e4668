package archive

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/ledger"
)

// Shelf is where a machine keeps what was taken out of its state.
type Shelf struct {
	State string // the directory of the machine's state
	Now   func() time.Time

	// Holders says in words who has something open, or mounted, at a path that
	// matches. Paths are those of the machine.
	Holders func(matches func(name string) bool) ([]string, error)
}

// Archive is a part of the state that was taken away.
type Archive struct {
	Path  string    `json:"path"`  // of the archive
	Of    string    `json:"of"`    // the path that it was taken from
	Date  time.Time `json:"date"`  // when
	Bytes int64     `json:"bytes"` // of the archive
}

// directory is where archives are, in that of the state.
const directory = "saved/archives"

// Names in it that are no archive yet, or something on its way; after a crash
// [Shelf.settle] knows what they are.
const (
	takingPrefix    = ".taking-"    // a part that was moved here, and has no archive yet
	gonePrefix      = ".gone-"      // a part that has one
	makingPrefix    = ".making-"    // an archive that is being written
	restoringPrefix = ".restoring-" // a part that is being brought back
)

// suffix is what an archive's name ends in.
const suffix = ".tar.gz"

// stamp is the time in an archive's name.
const stamp = "20060102T150405Z"

func (s Shelf) dir() string { return filepath.Join(s.State, directory) }

// HeldError says that somebody uses what was to go.
type HeldError struct {
	Path string
	By   []string
}

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is in use: %s", e.Path, e.By[0])
}

// ErrBusy says that another process takes away or brings back.
var ErrBusy = errors.New("another stet takes state away, or brings it back")

// List gives the archives, the newest first. What is none is left out.
func (s Shelf) List() ([]Archive, error) {
	entries, err := os.ReadDir(s.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list archives of the state: %w", err)
	}
	var all []Archive
	for _, entry := range slices.Backward(entries) {
		if !strings.HasPrefix(entry.Name(), ".") && strings.HasSuffix(entry.Name(), suffix) {
			if a, err := read(filepath.Join(s.dir(), entry.Name())); err == nil {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

// read looks what an archive is of: its first entry tells.
func read(name string) (Archive, error) {
	wrap := func(err error) error { return fmt.Errorf("read archive %s: %w", name, err) }
	file, err := os.Open(name)
	if err != nil {
		return Archive{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Archive{}, err
	}
	a := Archive{Path: name, Bytes: info.Size(), Date: info.ModTime().UTC().Truncate(time.Second)}
	packed, err := gzip.NewReader(file)
	if err != nil {
		return Archive{}, wrap(err)
	}
	header, err := tar.NewReader(packed).Next()
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	if err != nil {
		return Archive{}, wrap(err)
	}
	place := strings.TrimSuffix(header.Name, "/")
	if a.Of = ledger.Name(place); !canGo(a.Of) {
		return Archive{}, wrap(fmt.Errorf("%q is no path of a machine's state", header.Name))
	}
	return a, nil
}

// canGo reports whether a path is one within the state: no directory that a machine
// always has.
func canGo(name string) bool {
	_, ok := ledger.Place(name)
	return ok && !slices.Contains(ledger.Areas(), name)
}

// find gives an archive by its path, or by its name on the shelf.
func (s Shelf) find(name string) (Archive, error) {
	if !strings.Contains(name, "/") {
		name = filepath.Join(s.dir(), name)
	}
	return read(name)
}

// open makes the shelf, keeps other processes from it until close is called, and ends
// what a crash has left half-done.
func (s Shelf) open() (close func(), problems []string, err error) {
	if err := os.MkdirAll(s.dir(), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a place for archives: %w", err)
	}
	held, err := os.Open(s.dir())
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		held.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil, ErrBusy
		}
		return nil, nil, fmt.Errorf("lock %s: %w", s.dir(), err)
	}
	problems, err = s.settle()
	if err != nil {
		held.Close()
		return nil, problems, err
	}
	return func() { held.Close() }, problems, nil
}

// settle ends what was begun when the power went: a part without an archive goes back
// to its place, one that has an archive goes, and half an archive is none.
func (s Shelf) settle() (problems []string, err error) {
	entries, err := os.ReadDir(s.dir())
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		at := filepath.Join(s.dir(), entry.Name())
		switch name := entry.Name(); {
		case strings.HasPrefix(name, gonePrefix), strings.HasPrefix(name, makingPrefix), strings.HasPrefix(name, restoringPrefix):
			if err := os.RemoveAll(at); err != nil {
				problems = append(problems, fmt.Sprintf("%s could not be cleared away: %v", at, err))
			}
		case strings.HasPrefix(name, takingPrefix):
			text, err := os.ReadFile(filepath.Join(at, placeFile))
			if errors.Is(err, fs.ErrNotExist) { // nothing was moved yet
				err = os.RemoveAll(at)
			} else if err == nil {
				err = s.putBack(at, string(text))
			}
			if err != nil {
				problems = append(problems, fmt.Sprintf("what is in %s was not put back: %v", at, err))
			}
		}
	}
	return problems, nil
}

// placeFile says where what is beside it belongs.
const placeFile = "place"

// partDir is what has it, as it was in the directory of the state.
const partDir = "state"

// putBack brings what was moved into a directory of the shelf to its place, and removes
// that directory.
func (s Shelf) putBack(at, place string) error {
	part := filepath.Join(at, partDir, place)
	if _, err := os.Lstat(part); errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(at) // it was not moved yet, or is back already
	}
	if err := s.move(part, place); err != nil {
		return err
	}
	return os.RemoveAll(at)
}

// move gives a part of the shelf its place in the state, where nothing may be.
func (s Shelf) move(part, place string) error {
	parent, err := s.parent(place)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := unix.Renameat2(unix.AT_FDCWD, part, parent, path.Base(place), unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "move", Old: part, New: ledger.Name(place), Err: err}
	}
	return unix.Fsync(parent)
}

// parent opens the directory of a place in the state: no symlink leads there.
func (s Shelf) parent(place string) (int, error) {
	root, err := unix.Open(s.State, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: s.State, Err: err}
	}
	defer unix.Close(root)
	dir := path.Dir(place)
	for {
		fd, err := unix.Openat2(root, dir, &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
			continue
		case errors.Is(err, unix.ELOOP):
			err = errors.New("a symlink leads there")
		case errors.Is(err, unix.EXDEV):
			err = errors.New("something is mounted there")
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: ledger.Name(dir), Err: err}
		}
		return fd, nil
	}
}
