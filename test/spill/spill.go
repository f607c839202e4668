// Package spill writes a disk that a process gives to a file, for who changes it before a
// machine boots from it, or compares it with another file. Only test/ and bench/ import
// it.
package spill

import (
	"bytes"
	"errors"
	"io"
	"os"

	"stet/internal/vm"
)

// To writes a disk to a new file, which stays sparse, and closes the disk.
func To(name string, disk vm.Base) (err error) {
	defer func() { err = errors.Join(err, disk.Close()) }()
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	buffer, zeros := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < disk.Size(); at += int64(len(buffer)) {
		n, err := disk.ReadAt(buffer, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Equal(buffer[:n], zeros[:n]) {
			continue
		}
		if _, err := file.WriteAt(buffer[:n], at); err != nil {
			return err
		}
	}
	return errors.Join(file.Truncate(disk.Size()), file.Close())
}
