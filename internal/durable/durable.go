package durable

import (
	"errors"
	"os"
)

// Write makes a file that only its owner may read, or writes an existing one anew, and
// waits until its content is on the disk. Its name is not there for good before [Sync].
func Write(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// Sync waits until the names in a directory are on the disk: what was made, renamed or
// removed there.
func Sync(directory string) error {
	dir, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
