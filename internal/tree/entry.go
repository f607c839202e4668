package tree

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"stet/internal/verity"
)

// Type is what an entry is.
type Type uint8

// The types of an entry.
const (
	Directory Type = iota + 1
	Regular
	Symlink
	CharDevice
	BlockDevice
	FIFO
)

var typeNames = [...]string{
	Directory: "directory", Regular: "file", Symlink: "symlink",
	CharDevice: "character device", BlockDevice: "block device", FIFO: "FIFO",
}

// String gives the word people use.
func (t Type) String() string { return typeNames[t] }

// Time is a modification time as a file system keeps it.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Xattr is one extended attribute.
type Xattr struct {
	Key   string
	Value []byte
}

// Entry is one file system object. Entries are values: copying one is cheap,
// and Xattrs is never changed in place.
type Entry struct {
	Path   string // absolute and clean; the root is "/"
	Type   Type
	Mode   uint32 // permission bits, 0o7777
	UID    uint32
	GID    uint32
	Mtime  Time
	Size   int64         // bytes of a regular file
	Digest verity.Digest // content of a regular file; zero when it is empty
	Target string        // of a symlink
	Rdev   uint64        // of a device, as the kernel encodes it
	Xattrs []Xattr       // sorted by key
}

// Xattr gives the value of the attribute named key.
func (e *Entry) Xattr(key string) ([]byte, bool) {
	for i := range e.Xattrs {
		if e.Xattrs[i].Key == key {
			return e.Xattrs[i].Value, true
		}
	}
	return nil, false
}

// SameContent reports whether two entries hold the same bytes, whatever their
// owner, mode and time.
func (e *Entry) SameContent(other *Entry) bool {
	return e.Type == other.Type && e.Size == other.Size && e.Digest == other.Digest &&
		e.Target == other.Target && e.Rdev == other.Rdev
}

// SameMetadata reports whether two entries agree in type, mode, owner and
// extended attributes.
func (e *Entry) SameMetadata(other *Entry) bool {
	return e.Type == other.Type && e.Mode == other.Mode && e.UID == other.UID && e.GID == other.GID &&
		slices.EqualFunc(e.Xattrs, other.Xattrs, func(a, b Xattr) bool {
			return a.Key == b.Key && bytes.Equal(a.Value, b.Value)
		})
}

// check refuses an entry that no file system could hold, or that a text could
// not hold canonically.
func (e *Entry) check() error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	if e.Type < Directory || e.Type > FIFO {
		return fmt.Errorf("%s: unknown type %d", e.Path, e.Type)
	}
	switch {
	case e.Mode&^0o7777 != 0:
		return fmt.Errorf("%s: mode %o has more than permission bits", e.Path, e.Mode)
	case e.Type == Symlink && (e.Target == "" || strings.IndexByte(e.Target, 0) >= 0):
		return fmt.Errorf("%s: a symlink needs a target", e.Path)
	case e.Type != Symlink && e.Target != "":
		return fmt.Errorf("%s: only a symlink has a target", e.Path)
	case e.Type != Regular && (e.Size != 0 || !e.Digest.IsZero()):
		return fmt.Errorf("%s: only a file has content", e.Path)
	case e.Type == Regular && (e.Size < 0 || (e.Size == 0) != e.Digest.IsZero()):
		return fmt.Errorf("%s: size %d and digest do not belong together", e.Path, e.Size)
	case e.Rdev != 0 && e.Type != CharDevice && e.Type != BlockDevice:
		return fmt.Errorf("%s: only a device has a device number", e.Path)
	case e.Mtime.Nsec >= 1e9:
		return fmt.Errorf("%s: %d is no number of nanoseconds", e.Path, e.Mtime.Nsec)
	}
	for i := 1; i < len(e.Xattrs); i++ {
		if e.Xattrs[i-1].Key >= e.Xattrs[i].Key {
			return fmt.Errorf("%s: extended attributes are not sorted or not unique at %q", e.Path, e.Xattrs[i].Key)
		}
	}
	return nil
}

// checkPath refuses what is not an absolute, clean path of names that a file system
// takes.
func checkPath(name string) error {
	below, absolute := strings.CutPrefix(name, "/")
	if !absolute || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("%q is not an absolute, clean path", name)
	}
	for more := below != ""; more; {
		var part string
		part, below, more = strings.Cut(below, "/")
		switch {
		case part == "" || part == "." || part == "..":
			return fmt.Errorf("%q is not an absolute, clean path", name)
		case len(part) > maxName:
			return fmt.Errorf("%s: a file name has at most %d bytes, this one has %d", name, maxName, len(part))
		}
	}
	return nil
}

// maxName is NAME_MAX of the kernel.
const maxName = 255
