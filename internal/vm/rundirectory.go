package vm

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// runPrefix begins the name of each run directory.
const runPrefix = "stet-vm-"

// runDirectory is a directory that belongs to one VM while its lock is held.
type runDirectory struct {
	path string
	lock *os.File
}

// makeRunDirectory makes a directory below parent, and removes those there
// that a killed process left behind.
func makeRunDirectory(parent string) (*runDirectory, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, runPrefix)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		os.RemoveAll(path)
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	// Only a file with content is swept: between making and locking it, it
	// looks like one that was left behind.
	if _, err := lock.WriteString("held by a running stet\n"); err != nil {
		lock.Close()
		os.RemoveAll(path)
		return nil, err
	}
	return &runDirectory{path, lock}, nil
}

func (d *runDirectory) file(name string) string { return filepath.Join(d.path, name) }

func (d *runDirectory) remove() error {
	err := os.RemoveAll(d.path)
	d.lock.Close()
	return err
}

// sweep removes directories whose lock nobody holds. One without a lock file
// is just being made, or none of ours. What cannot be removed stays.
func sweep(parent string) {
	paths, _ := filepath.Glob(filepath.Join(parent, runPrefix+"*", "lock"))
	for _, path := range paths {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if info, err := file.Stat(); err == nil && info.Size() > 0 && unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		file.Close()
	}
}
