package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// moveMountBeneath is MOVE_MOUNT_BENEATH of linux/mount.h (Linux 6.5), which
// golang.org/x/sys does not know yet.
const moveMountBeneath = 0x200

// A Mount is a mount without a place (see fsmount(2), open_tree(2)). It goes
// away with Close unless it was attached before.
type Mount struct {
	fd   int
	what string // for errors: what was mounted
}

// Attach puts m at target, on top of whatever is there. m stays open: it then
// refers to the attached mount.
func (m *Mount) Attach(target string) error {
	if err := unix.MoveMount(m.fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("attach %s to %s: %w", m.what, target, err)
	}
	return nil
}

// Replace puts m in the place of the mount at target in one step: m slides
// beneath it and the old one is detached. There is no moment without a mount
// at target. The old mount lives on for programs that use it, with the mounts
// below it; those disappear from target.
//
// It fails with EINVAL when target is no mount point, is the caller's root, or
// hangs on the root of the mount namespace.
func (m *Mount) Replace(target string) error {
	err := unix.MoveMount(m.fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH|moveMountBeneath)
	if err != nil {
		return fmt.Errorf("slide %s beneath %s: %w", m.what, target, err)
	}
	return Detach(target)
}

// Swap moves the mount at source, with the mounts below it, into the place of
// the one at target, as [Mount.Replace] does. The mount that source hangs on
// must not be shared (mount_namespaces(7)).
func Swap(source, target string) error {
	if err := unix.MoveMount(unix.AT_FDCWD, source, unix.AT_FDCWD, target, moveMountBeneath); err != nil {
		return fmt.Errorf("slide the mount %s beneath %s: %w", source, target, err)
	}
	return Detach(target)
}

// ReadOnly makes m refuse writes, whatever its file system allows.
func (m *Mount) ReadOnly() error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(m.fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("make %s read-only: %w", m.what, err)
	}
	return nil
}

// Root is the path below which the tree of m can be read before it is attached.
// It is valid in this process only, and as long as m is open.
func (m *Mount) Root() string { return fdPath(m.fd) }

// Close lets go of m: an unattached mount ends, an attached one stays.
func (m *Mount) Close() error {
	if m.fd < 0 {
		return nil
	}
	fd := m.fd
	m.fd = -1
	return unix.Close(fd)
}

// Clone returns a detached copy of the mount at path, rooted at path, without
// the mounts below it (all of them too when recursive).
func Clone(path string, recursive bool) (*Mount, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return nil, fmt.Errorf("clone the mount at %s: %w", path, err)
	}
	return &Mount{fd: fd, what: path}, nil
}

// Bind shows the directory or file source at target as well, without the
// mounts below it.
func Bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	return nil
}

// Move moves the mount at source, with the mounts below it, to target. The
// mount that source hangs on must not be shared.
func Move(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the mount %s to %s: %w", source, target, err)
	}
	return nil
}

// Tmpfs mounts a tmpfs at target. Options are those of tmpfs(5), as in
// "mode=0755,size=4m"; flags those of mount(2), as unix.MS_NOSUID.
func Tmpfs(target string, flags uintptr, options string) error {
	return New("tmpfs", target, flags, options)
}

// New mounts a file system that needs no device (proc, sysfs, devtmpfs, …) at
// target. Its source in mountinfo is its type, as it is customary.
func New(fstype, target string, flags uintptr, options string) error {
	if err := unix.Mount(fstype, target, fstype, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", fstype, target, err)
	}
	return nil
}

// Device mounts the file system of type fstype on a block device at target.
func Device(device, target, fstype string, flags uintptr, options string) error {
	if err := unix.Mount(device, target, fstype, flags, options); err != nil {
		return fmt.Errorf("mount %s (%s) at %s: %w", device, fstype, target, err)
	}
	return nil
}

// RemountReadOnly makes the mount at target refuse writes. Other mounts of the
// same file system stay as they are.
func RemountReadOnly(target string) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &attr); err != nil {
		return fmt.Errorf("make %s read-only: %w", target, err)
	}
	return nil
}

// MakePrivate ends the propagation of mounts between target, all mounts below
// it, and other mount namespaces.
func MakePrivate(target string) error {
	if err := unix.Mount("", target, "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts below %s private: %w", target, err)
	}
	return nil
}

// Detach takes the mount at target, and all below it, out of the tree at once;
// programs that use it keep it until they end. No mount there is no error.
func Detach(target string) error {
	err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("detach the mount at %s: %w", target, err)
	}
	return nil
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// openPath opens path only as a place (O_PATH), which is what keeps a layer's
// name short whatever the length of the path.
func openPath(path string, flags int) (int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}
