package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// slots is how many objects are made ready before debugfs(8) takes them.
const slots = 16

// smallObject is the size, in bytes, up to which a slot is in memory.
const smallObject = 2 << 20

// slotsPlace is where debugfs(8) finds the large objects.
const slotsPlace = "/mnt/slots"

// slot has one object after the other, until debugfs(8) has taken it. It is in
// memory, and used again and again: files of a disk's for thousands of objects cost
// as much as the whole file system. A large object is a file.
type slot struct {
	memory *os.File
	number int
	dir    string
	large  *os.File
}

// makeSlots makes them all; large objects will be files in a directory.
func makeSlots(dir string) ([]*slot, error) {
	var all []*slot
	for i := range slots {
		fd, err := unix.MemfdCreate("stet-slot", unix.MFD_CLOEXEC)
		if err != nil {
			return all, fmt.Errorf("make a file in memory: %w", err)
		}
		s := &slot{memory: os.NewFile(uintptr(fd), "slot"), number: i, dir: dir}
		all = append(all, s)
		if err := s.memory.Chmod(objectMode); err != nil {
			return all, err
		}
	}
	return all, nil
}

// objectMode is that of every object; debugfs(8) gives a file the mode that it
// finds.
const objectMode = 0o600

// file gives the empty file for an object of a size.
func (s *slot) file(size int64) (*os.File, error) {
	if size <= smallObject {
		_, err := s.memory.Seek(0, io.SeekStart)
		return s.memory, errors.Join(s.memory.Truncate(0), err)
	}
	large, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprint(s.number)), os.O_CREATE|os.O_WRONLY|os.O_EXCL, objectMode)
	if err != nil {
		return nil, err
	}
	s.large = large
	return large, large.Chmod(objectMode) // whatever the umask
}

// seen is the file's name where debugfs(8) runs, which has the files in memory as
// its descriptors from 3 on.
func (s *slot) seen() string {
	if s.large != nil {
		return slotsPlace + "/" + fmt.Sprint(s.number)
	}
	return "/dev/fd/" + fmt.Sprint(s.number+3)
}

// empty takes the object away.
func (s *slot) empty() error {
	if s.large == nil {
		return nil
	}
	err := errors.Join(s.large.Close(), os.Remove(s.large.Name()))
	s.large = nil
	return err
}
