package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// hidden gives an empty file of a size beside another. It has always the same
// name, so that what killed processes leave is one file and not many; it is locked
// until it is closed, and who wants to write the same waits.
func hidden(path, purpose string, size int64) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+purpose)
	file, err := openLocked(name)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Truncate(0), file.Truncate(size)); err != nil {
		return nil, errors.Join(err, os.Remove(name), file.Close())
	}
	return file, nil
}

// openLocked opens a file that no other process has. Whoever had it may have given
// it another name meanwhile; then there is a new one.
func openLocked(name string) (*os.File, error) {
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
		}
		ours, err := file.Stat()
		there, missing := os.Stat(name)
		switch {
		case err != nil || missing != nil && !errors.Is(missing, os.ErrNotExist):
			return nil, errors.Join(err, missing, file.Close())
		case missing == nil && os.SameFile(ours, there):
			return file, nil
		}
		file.Close()
	}
}
