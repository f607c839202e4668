package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Target is a disk to install on, which was looked at and not changed.
type Target struct {
	Path string // of the device
	Size int64  // bytes
	Has  string // what is on it, for people; empty when it is blank
}

// TargetError says why a disk cannot be installed on, whatever one says.
type TargetError struct{ Path, Reason, Remedy string }

// Error implements error.
func (e *TargetError) Error() string { return e.Path + ": " + e.Reason }

// edge is how much of both ends of a disk must be zeros, so that it is blank: all
// file systems and tables have something there.
const edge = 1 << 20

// Examine looks at a disk. It refuses what is no whole disk, and what is in use.
func Examine(path string) (*Target, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, &TargetError{path, "there is no such disk", "`lsblk` lists them"}
	}
	var stat unix.Stat_t
	if err := unix.Stat(resolved, &stat); err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return nil, &TargetError{path, "it is no disk", "`stet image` writes to a file; `lsblk` lists disks"}
	}
	sys := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	if _, err := os.Stat(sys + "/partition"); err == nil {
		return nil, &TargetError{path, "it is a partition", "name the whole disk: Stet partitions it"}
	}
	if user := usedBy(sys); user != "" {
		return nil, &TargetError{path, "it is in use: " + user, "unmount or stop what uses it; a machine cannot be installed over itself"}
	}
	if sector := attribute(sys, "queue/logical_block_size"); sector != "" && sector != "512" {
		return nil, &TargetError{path, "it has logical sectors of " + sector + " bytes", "Stet writes disks with sectors of 512 bytes; `nvme format` can change that of many"}
	}
	if attribute(sys, "ro") == "1" {
		return nil, &TargetError{path, "it is read-only", ""}
	}
	// Whoever else has it open for himself is noticed by the kernel.
	file, err := os.OpenFile(resolved, os.O_RDONLY|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, &TargetError{path, "it is in use", "unmount or stop what uses it: LVM, RAID, swap, a file system"}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	has, err := contentOf(file, size)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	return &Target{resolved, size, has}, nil
}

// usedBy says what uses a disk or one of its partitions; nothing when nothing
// does.
func usedBy(sys string) string {
	nodes := []string{sys}
	partitions, _ := filepath.Glob(sys + "/*/partition")
	for _, p := range partitions {
		nodes = append(nodes, filepath.Dir(p))
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	swaps, _ := os.ReadFile("/proc/swaps")
	for _, node := range nodes {
		device := attribute(node, "dev")
		for line := range strings.Lines(string(mounts)) {
			if fields := strings.Fields(line); len(fields) > 4 && fields[2] == device {
				return "it is mounted at " + fields[4]
			}
		}
		name := nameOf(node)
		for line := range strings.Lines(string(swaps)) {
			if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "/dev/"+name {
				return fields[0] + " is swap space"
			}
		}
		if holders, _ := os.ReadDir(node + "/holders"); len(holders) > 0 {
			return fmt.Sprintf("%s belongs to %s (LVM, RAID or encryption)", name, holders[0].Name())
		}
	}
	return ""
}

func nameOf(node string) string {
	resolved, err := filepath.EvalSymlinks(node)
	if err != nil {
		return filepath.Base(node)
	}
	return filepath.Base(resolved)
}

func attribute(node, name string) string {
	text, err := os.ReadFile(filepath.Join(node, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// marks are what is most often at the beginning of a disk, for the message.
var marks = []struct {
	offset int
	bytes  string
	what   string
}{
	{512, "EFI PART", "a partition table (GPT)"},
	{0, "LUKS\xba\xbe", "an encrypted volume (LUKS)"},
	{512, "LABELONE", "a volume of LVM"},
	{4096, "\xfc\x4e\x2b\xa9", "a member of a RAID"},
	{1024 + 0x38, "\x53\xef", "a file system (ext2, ext3 or ext4)"},
	{0, "XFSB", "a file system (XFS)"},
	{0x10040, "_BHRfS_M", "a file system (btrfs)"},
	{3, "NTFS    ", "a file system (NTFS)"},
	{82, "FAT32   ", "a file system (FAT)"},
	{54, "FAT16   ", "a file system (FAT)"},
	{32769, "CD001", "a file system (ISO 9660)"},
	{4086, "SWAPSPACE2", "swap space"},
	{510, "\x55\xaa", "a partition table (MBR)"},
}

// contentOf says what is on a disk; nothing when both its ends are blank.
func contentOf(disk io.ReaderAt, size int64) (string, error) {
	begin, end := make([]byte, min(edge, size)), make([]byte, min(edge, size))
	if _, err := disk.ReadAt(begin, 0); err != nil {
		return "", err
	}
	if _, err := disk.ReadAt(end, size-int64(len(end))); err != nil {
		return "", err
	}
	for _, m := range marks {
		if m.offset+len(m.bytes) <= len(begin) && string(begin[m.offset:m.offset+len(m.bytes)]) == m.bytes {
			return m.what, nil
		}
	}
	if len(end) >= 512 && bytes.HasPrefix(end[len(end)-512:], []byte("EFI PART")) {
		return "the backup of a partition table (GPT)", nil
	}
	if !allZero(begin) || !allZero(end) {
		return "data that Stet does not know", nil
	}
	return "", nil
}

// SameDisk reports whether two paths name one device.
func SameDisk(a, b string) bool {
	var one, other unix.Stat_t
	return unix.Stat(a, &one) == nil && unix.Stat(b, &other) == nil &&
		one.Mode&unix.S_IFMT == unix.S_IFBLK && one.Rdev == other.Rdev && other.Mode&unix.S_IFMT == unix.S_IFBLK
}

// zero makes a range of a device zeros, as the kernel does it best.
func zero(device *os.File, start, length int64) error {
	argument := make([]byte, 16)
	binary.NativeEndian.PutUint64(argument[0:], uint64(start))
	binary.NativeEndian.PutUint64(argument[8:], uint64(length))
	if err := ioctl(device, unix.BLKZEROOUT, argument); err != nil {
		return fmt.Errorf("clear %s at %s: %w", device.Name(), strconv.FormatInt(start, 10), err)
	}
	return nil
}
