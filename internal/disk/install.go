package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
	"stet/internal/progress"
)

// Install writes a machine to a disk, whatever is on it. The partition table
// comes last: until then, the disk has none, and boots nothing.
func Install(ctx context.Context, c Content, t Tools, l Layout, target *Target) (err error) {
	l.Size = target.Size
	ids := fresh()
	table, err := l.table(ids)
	if err != nil {
		return err
	}
	device, err := os.OpenFile(target.Path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", target.Path, err)
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	if err := t.fileSystemFits(c, table); err != nil {
		return err
	}
	c.Report.Report(progress.Event{Stage: "clear the disk"})
	if err := clearDisk(device, table); err != nil {
		return err
	}
	if err := writeParts(ctx, c, t, l, ids, table, device); err != nil {
		return err
	}
	c.Report.Report(progress.Event{Stage: "write everything out"})
	if err := device.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", target.Path, err)
	}
	if err := table.Write(device, device.Sync); err != nil {
		return err
	}
	return readTable(device)
}

// clearDisk makes zeros of what could be taken for something: both ends of the
// disk and of each partition, and all of the ESP, which is written in pieces.
func clearDisk(device *os.File, table *gpt.Table) error {
	ranges := [][2]int64{{0, edge}, {table.DiskSize - edge, edge}}
	for _, p := range table.Partitions {
		if p.Type == gpt.ESP {
			ranges = append(ranges, [2]int64{p.Start, p.Size})
			continue
		}
		ranges = append(ranges, [2]int64{p.Start, min(edge, p.Size)}, [2]int64{p.Start + p.Size - min(edge, p.Size), min(edge, p.Size)})
	}
	for _, r := range ranges {
		if err := zero(device, r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// readTable lets the kernel read the new table. udev may have the disk open for a
// moment.
func readTable(device *os.File) error {
	var err error
	for wait := 10 * time.Millisecond; wait < 3*time.Second; wait *= 2 {
		if err = ioctl(device, unix.BLKRRPART, nil); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(wait)
	}
	if err != nil && !errors.Is(err, unix.EINVAL) { // a loop device without partitions
		return fmt.Errorf("everything is written, but the kernel does not read the new partition table of %s: %w", device.Name(), err)
	}
	return nil
}

func ioctl(file *os.File, request uintptr, argument []byte) error {
	var pointer unsafe.Pointer
	if len(argument) > 0 {
		pointer = unsafe.Pointer(&argument[0])
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), request, uintptr(pointer)); errno != 0 {
		return errno
	}
	return nil
}

// fresh draws UUIDs (RFC 9562, version 4), one for each purpose.
func fresh() Identities {
	drawn := map[string]gpt.GUID{}
	return func(purpose string) gpt.GUID {
		if id, ok := drawn[purpose]; ok {
			return id
		}
		var id gpt.GUID
		_, _ = rand.Read(id[:]) // never fails (crypto/rand)
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		drawn[purpose] = id
		return id
	}
}
