package mount

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Part mounts the file system of a type that is a part of a disk, or of a file
// with a disk's content, read-only at target: size bytes from offset. The mount
// holds the loop device, which frees itself with it.
func Part(disk string, offset, size int64, fstype, target, options string) error {
	device, err := attachPart(disk, offset, size)
	if err != nil {
		return err
	}
	defer device.Close()
	return Device(device.Name(), target, fstype, unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, options)
}

// attachLoop gives the image at path a read-only loop device (see loop(4)) that
// frees itself when its last user ends.
func attachLoop(path string) (*os.File, error) { return attachPart(path, 0, 0) }

// attachPart is attachLoop for size bytes from offset; 0 stands for all that
// follow.
func attachPart(path string, offset, size int64) (*os.File, error) {
	image, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("this kernel has no loop devices: %w", err)
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(image.Fd()), Size: blockSize(offset)}
	config.Info.Offset, config.Info.Sizelimit = uint64(offset), uint64(size)
	config.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR
	for range 64 { // another process can take the free one first
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open a loop device: %w", err)
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach the image to /dev/loop%d: %w", number, err)
		}
	}
	return nil, errors.New("no loop device stays free long enough")
}

// blockSize is that of a loop device: a part of a disk may begin where only the
// disk's own sectors end.
func blockSize(offset int64) uint32 {
	if offset == 0 {
		return 4096
	}
	return 512
}
