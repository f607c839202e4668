package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/meminfo"
)

// memoryDir is a file system in memory that every host has (file-hierarchy(7)). To make
// and to remove files takes a fraction there of what it takes on a disk, and scripts do
// so by the thousand.
const memoryDir = "/dev/shm"

// What scripts change in a root is kept in memory while that is no more than memoryMost,
// in bytes: twice what those of a large desktop do. The host has to have memoryLeast to
// spare, and the file system twice as much, so that none meets its end before it is seen.
const (
	memoryMost  = 1 << 30
	memoryLeast = 4 << 30
)

// memoryPrefix is what directories in memory are called by.
const memoryPrefix = "stet-changes-"

// errMemory says that scripts changed more than is kept in memory.
var errMemory = errors.New("scripts change more than there is memory for")

// HasMemory reports whether this host has the memory for what scripts change.
func HasMemory() bool {
	available, err := meminfo.Available()
	if err != nil || available < memoryLeast {
		return false
	}
	var stat unix.Statfs_t
	if unix.Statfs(memoryDir, &stat) != nil || stat.Type != unix.TMPFS_MAGIC {
		return false
	}
	room := stat.Bavail * uint64(stat.Bsize)
	return room >= 2*memoryMost && (stat.Files == 0 || stat.Ffree >= filesBefore)
}

// inMemory is a directory in memory that is this process's while it has it open.
type inMemory struct {
	dir  string
	held *os.File
}

// newInMemory makes a directory in memory, and removes those of processes that are gone.
// It gives none where it would not be as good as one on a disk. Overlayfs notes its
// account there in attributes with the prefix.
func newInMemory(prefix string) *inMemory {
	if !HasMemory() {
		return nil
	}
	sweepMemory(time.Now())
	dir, err := os.MkdirTemp(memoryDir, memoryPrefix)
	if err != nil {
		return nil
	}
	m := &inMemory{dir: dir}
	if m.held, err = hold(dir); err != nil || !takesAttributes(dir, prefix) {
		_ = m.Close()
		return nil
	}
	return m
}

// hold locks a directory; it stays so until it is closed.
func hold(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), dir)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// takesAttributes reports whether files in a directory can have what overlayfs notes on
// them, and all that scripts may: those of a user came to tmpfs with Linux 6.6.
func takesAttributes(dir, prefix string) bool {
	for _, name := range []string{prefix + "stet", "user.stet"} {
		if unix.Setxattr(dir, name, []byte("y"), 0) != nil {
			return false
		}
	}
	return !errors.Is(unix.Removexattr(dir, "system.posix_acl_access"), unix.ENOTSUP)
}

// Close removes the directory.
func (m *inMemory) Close() error {
	err := os.RemoveAll(m.dir)
	if m.held != nil {
		m.held.Close()
	}
	return err
}

// sweepMemory removes directories that nobody holds. A new one may just be going to be held.
func sweepMemory(now time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(memoryDir, memoryPrefix+"*"))
	for _, dir := range dirs {
		var stat unix.Stat_t
		if unix.Lstat(dir, &stat) != nil || int(stat.Uid) != os.Geteuid() || now.Sub(time.Unix(stat.Ctim.Unix())) < time.Minute {
			continue
		}
		if held, err := hold(dir); err == nil {
			_ = os.RemoveAll(dir)
			held.Close()
		}
	}
}
