package disk

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"stet/internal/fault"
	"stet/internal/gpt"
	"stet/internal/progress"
)

// Format is that of an image's file.
type Format string

// The formats.
const (
	Raw   Format = "raw"
	Qcow2 Format = "qcow2" // for QEMU; blocks of zeros take no space, wherever it is copied
)

// WriteImage makes an image of a whole disk, whole or not at all.
func WriteImage(ctx context.Context, c Content, t Tools, l Layout, f Format, path string) error {
	write := func(file *os.File) error {
		return writeDisk(ctx, c, t, l, Derived(c.Record.System), file)
	}
	if f == Raw {
		return whole(path, l.Size, write)
	}
	return whole(path, 0, func(file *os.File) error {
		raw, err := hidden(path, "raw", l.Size)
		if err != nil {
			return err
		}
		defer os.Remove(raw.Name())
		defer raw.Close()
		if err := write(raw); err != nil {
			return err
		}
		c.Report.Report(progress.Event{Stage: "write it as qcow2"})
		return writeQcow2(raw, file, l.Size)
	})
}

// writeDisk writes everything that a disk has, on one where nothing but zeros is.
// The partition table comes last: before it, the disk has nothing.
func writeDisk(ctx context.Context, c Content, t Tools, l Layout, ids Identities, disk *os.File) error {
	table, err := l.table(ids)
	if err != nil {
		return err
	}
	if err := writeParts(ctx, c, t, l, ids, table, disk); err != nil {
		return err
	}
	return table.Write(disk, nil)
}

// writeParts writes what the partitions have.
func writeParts(ctx context.Context, c Content, t Tools, l Layout, ids Identities, table *gpt.Table, disk *os.File) error {
	store := table.Partitions[len(table.Partitions)-1]
	if err := t.fileSystem(ctx, c, ids, place{disk.Name(), store.Start, store.Size}); err != nil {
		return err
	}
	c.Report.Report(progress.Event{Stage: "make it bootable"})
	if err := writeESP(disk, c, t, ids, table.Partitions[0]); err != nil {
		return fmt.Errorf("write what the firmware boots: %w", err)
	}
	if l.Swap > 0 {
		if err := writeSwap(disk, ids, table.Partitions[1]); err != nil {
			return fmt.Errorf("make the swap space: %w", err)
		}
	}
	return nil
}

// whole makes a file of a size under a hidden name beside its own.
func whole(path string, size int64, write func(*os.File) error) (err error) {
	file, err := hidden(path, "new", size)
	if err != nil {
		return err
	}
	defer file.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if err := errors.Join(write(file), file.Chmod(0o644)); err != nil {
		return err
	}
	fault.Reach(fault.ImageWritten)
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	fault.Reach(fault.ImageNamed)
	return nil
}

// Derived gives UUIDs that follow from a system's digest (RFC 9562, version 8),
// so that every image of the system has the same ones.
func Derived(system string) Identities {
	return func(purpose string) gpt.GUID {
		sum := sha256.Sum256([]byte(purpose + "\n" + system))
		id := gpt.GUID(sum[:16])
		id[6] = id[6]&0x0f | 0x80
		id[8] = id[8]&0x3f | 0x80
		return id
	}
}
