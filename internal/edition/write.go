package edition

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// BusyError says that somebody else edits a repository.
type BusyError struct{ Dir string }

// Error implements error.
func (e *BusyError) Error() string { return "somebody else edits " + e.Dir }

// Lock lets one at a time edit a repository. Its error is a [BusyError] while
// somebody does.
func Lock(dir string) (unlock func(), err error) {
	at, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(at.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		at.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &BusyError{dir}
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { at.Close() }, nil
}

// Write replaces files of a repository, each whole or not at all.
func Write(dir string, files []File) error {
	for _, f := range files {
		if err := write(filepath.Join(dir, f.Name), f.Content); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	return nil
}

// TakeBack puts back what files were before. One that was not there is removed.
func TakeBack(dir string, files []File) error {
	var left []error
	for _, f := range files {
		name := filepath.Join(dir, f.Name)
		if f.New {
			left = append(left, os.Remove(name))
		} else {
			left = append(left, write(name, f.Before))
		}
	}
	return errors.Join(left...)
}

func write(name string, content []byte) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".stet-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// Names are the names of files.
func Names(files []File) []string {
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}
