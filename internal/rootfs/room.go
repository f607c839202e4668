package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What the file system of the store must have left, in bytes and in files,
// before scripts run and after. The first is more than the scripts of a large
// machine write; the second says that none of them can have met the end.
const (
	roomBefore, filesBefore = 256 << 20, 20_000
	roomAfter, filesAfter   = 64 << 20, 5_000
)

// room is where scripts write: a directory of the store, or one in memory.
type room struct {
	dir    string
	memory bool
	free   uint64 // bytes that it had when nothing was written
}

func newRoom(dir string, memory bool) (room, error) {
	r := room{dir: dir, memory: memory}
	stat, err := r.stat()
	r.free = stat.Bavail * uint64(stat.Bsize)
	return r, err
}

func (r room) stat() (stat unix.Statfs_t, err error) {
	if err := unix.Statfs(r.dir, &stat); err != nil {
		return stat, fmt.Errorf("look for room in %s: %w", r.dir, err)
	}
	return stat, nil
}

// check refuses to go on where a disk is nearly full. Not every script
// notices that what it wrote was cut off, and the tree it leaves then would be
// remembered, or even locked, as the packages' own.
func (r room) check(room, files uint64) error {
	stat, err := r.stat()
	if err != nil {
		return err
	}
	free := stat.Bavail * uint64(stat.Bsize)
	switch {
	case r.memory && (free < room || free+memoryMost < r.free || stat.Files > 0 && stat.Ffree < files):
		return errMemory
	case free < room:
		return fmt.Errorf("maintainer scripts need %d MB of room in the store, and %d MB are left: %w", room/1e6, free/1e6, unix.ENOSPC)
	}
	// File systems without a fixed number of files say that they have none.
	if stat.Files > 0 && stat.Ffree < files {
		return fmt.Errorf("maintainer scripts need room for %d files in the store, and %d are left: %w", files, stat.Ffree, unix.ENOSPC)
	}
	return nil
}
