package archive

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/ledger"
)

// TakenError says that there is something where an archive would go.
type TakenError struct{ Path string }

// Error implements error.
func (e *TakenError) Error() string { return e.Path + " is there already" }

// Restore brings an archive back to where it was taken from: whole, or not at all. The
// archive stays. A name without a slash is one on the shelf. Whatever is in an archive
// goes nowhere but to the path that it is of.
func (s Shelf) Restore(ctx context.Context, name string) (a Archive, problems []string, err error) {
	if a, err = s.find(name); err != nil {
		return a, nil, err
	}
	unlock, problems, err := s.open()
	if err != nil {
		return a, problems, err
	}
	defer unlock()
	if err := s.restore(ctx, a); err != nil {
		return a, problems, fmt.Errorf("bring %s back: %w", a.Of, err)
	}
	return a, problems, nil
}

func (s Shelf) restore(ctx context.Context, a Archive) error {
	place, _ := ledger.Place(a.Of)
	// Before the work; what counts is said when it gets its name.
	if _, err := os.Lstat(filepath.Join(s.State, place)); err == nil {
		return &TakenError{a.Of}
	}
	dir, err := os.MkdirTemp(s.dir(), restoringPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err := os.Open(a.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	packed, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	if err := runTar(ctx, dir, packed, nil, "--extract", "--same-owner", "--same-permissions"); err != nil {
		return err
	}
	if err := s.writeOut(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := isWithoutLinks(root, filepath.Dir(place)); err != nil {
		return err
	}
	err = s.move(filepath.Join(dir, place), place)
	if errors.Is(err, fs.ErrExist) {
		return &TakenError{a.Of}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing; make it, or bring it back first", filepath.Dir(a.Of))
	}
	return err
}

// isWithoutLinks refuses an archive in which a symlink stands above what it is of.
func isWithoutLinks(root *os.Root, dir string) error {
	for ; dir != "."; dir = filepath.Dir(dir) {
		info, err := root.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("in the archive %s is no directory", dir)
		}
	}
	return nil
}

// writeOut writes out the file system that a directory is on: no name without content.
func (s Shelf) writeOut(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
