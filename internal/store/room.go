package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SpaceError says that the store has not enough room. Nothing was changed.
type SpaceError struct {
	Dir           string
	Bytes, Inodes int64 // that are missing
}

// Error implements error.
func (e *SpaceError) Error() string {
	switch {
	case e.Inodes == 0:
		return fmt.Sprintf("%s is too full: %d bytes are missing", e.Dir, e.Bytes)
	case e.Bytes == 0:
		return fmt.Sprintf("%s is too full: %d inodes are missing", e.Dir, e.Inodes)
	}
	return fmt.Sprintf("%s is too full: %d bytes and %d inodes are missing", e.Dir, e.Bytes, e.Inodes)
}

// What a change takes beside its contents: records, directories, what the
// journal needs to write them.
const (
	slackBytes  = 1 << 20
	slackInodes = 16
)

// NeedRoom refuses what would not fit: files of so many bytes together. A store
// that cannot be written refuses everything.
func (s *Store) NeedRoom(bytes, files int64) error {
	var space unix.Statfs_t
	if err := unix.Statfs(s.dir, &space); err != nil {
		return fmt.Errorf("see what room is in %s: %w", s.dir, err)
	}
	if space.Flags&unix.ST_RDONLY != 0 {
		return fmt.Errorf("write to %s: %w", s.dir, unix.EROFS)
	}
	// Each file takes whole blocks, and one more for its seal.
	needed := bytes + 2*files*space.Bsize + slackBytes
	e := &SpaceError{Dir: s.dir, Bytes: max(0, needed-int64(space.Bavail)*space.Bsize)}
	if space.Files > 0 { // some file systems count none
		e.Inodes = max(0, files+slackInodes-int64(space.Ffree))
	}
	if e.Bytes > 0 || e.Inodes > 0 {
		return e
	}
	return nil
}
