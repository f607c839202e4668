package grow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/gpt"
)

// worthwhile is how many bytes must be gained. ext4 leaves the rest of a disk
// alone that is too small for a group of blocks; it must not be tried at every
// boot.
const worthwhile = 16 << 20

// Partition lets the partition of that number fill the disk, in the table on the
// disk and in the kernel. The table is what was read from the disk, which has
// size bytes. It tells whether there was anything to do.
func Partition(disk string, size int64, table *gpt.Table, number int) (done bool, err error) {
	before, ok := find(table, number)
	if !ok {
		return false, fmt.Errorf("grow the store's partition: there is no partition %d", number)
	}
	grown, _, err := table.Grow(number, size)
	if err != nil {
		return false, nil // another partition is behind it, or the disk is smaller than its table says
	}
	after, _ := find(grown, number)
	if after.Size-before.Size < worthwhile {
		return false, nil
	}
	file, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return false, fmt.Errorf("grow the store's partition: %w", err)
	}
	defer file.Close()
	if err := grown.Write(file, file.Sync); err != nil {
		return false, fmt.Errorf("grow the store's partition: %w", err)
	}
	fault.Reach(fault.PartitionGrew)
	if err := tellKernel(file, after); err != nil {
		return true, fmt.Errorf("grow the store's partition: %w", err)
	}
	return true, nil
}

func find(t *gpt.Table, number int) (gpt.Partition, bool) {
	for _, p := range t.Partitions {
		if p.Number == number {
			return p, true
		}
	}
	return gpt.Partition{}, false
}

// tellKernel changes the size of a partition that is in use. Reading the whole
// table anew is refused then.
func tellKernel(disk *os.File, p gpt.Partition) error {
	if info, err := disk.Stat(); err != nil || info.Mode().IsRegular() {
		return err
	}
	change := unix.BlkpgPartition{Start: p.Start, Length: p.Size, Pno: int32(p.Number)}
	argument := unix.BlkpgIoctlArg{Op: unix.BLKPG_RESIZE_PARTITION, Datalen: int32(unsafe.Sizeof(change)), Data: (*byte)(unsafe.Pointer(&change))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&argument))); errno != 0 {
		return fmt.Errorf("tell the kernel: %w", errno)
	}
	return nil
}

// FileSystem lets the ext4 that is mounted at dir fill its device. It tells
// whether there was anything to do.
func FileSystem(device, dir string) (done bool, err error) {
	file, err := os.Open(device)
	if err != nil {
		return false, fmt.Errorf("grow the store: %w", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return false, fmt.Errorf("grow the store: %w", err)
	}
	blocks, blockSize, err := geometry(file)
	if err != nil {
		return false, fmt.Errorf("grow the store: %w", err)
	}
	want := uint64(size / blockSize)
	if want <= blocks || int64(want-blocks) < worthwhile/blockSize {
		return false, nil
	}
	mounted, err := os.Open(dir)
	if err != nil {
		return false, fmt.Errorf("grow the store: %w", err)
	}
	defer mounted.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, mounted.Fd(), resizeFS, uintptr(unsafe.Pointer(&want))); errno != 0 {
		return false, fmt.Errorf("grow the store to %d MB: %w", size/1e6, errno)
	}
	fault.Reach(fault.StoreGrew)
	return true, nil
}

// resizeFS is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64), of fs/ext4/ext4.h. The
// kernel grows group by group, each in a transaction of its own.
const resizeFS = 0x40086610

// geometry reads how many blocks of which size an ext4 has (struct
// ext4_super_block of fs/ext4/ext4.h).
func geometry(device io.ReaderAt) (blocks uint64, blockSize int64, err error) {
	s := make([]byte, 1024)
	if _, err := device.ReadAt(s, 1024); err != nil {
		return 0, 0, err
	}
	le := binary.LittleEndian
	const magic, has64Bit = 0xef53, 0x80
	if le.Uint16(s[0x38:]) != magic || le.Uint32(s[0x18:]) > 6 {
		return 0, 0, errors.New("it is no ext4")
	}
	blocks = uint64(le.Uint32(s[0x4:]))
	if le.Uint32(s[0x60:])&has64Bit != 0 {
		blocks |= uint64(le.Uint32(s[0x150:])) << 32
	}
	return blocks, 1024 << le.Uint32(s[0x18:]), nil
}
