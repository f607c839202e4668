package gpt

import (
	"errors"
	"fmt"
	"unicode/utf16"
)

// SectorSize is the size of a logical sector. Disks with another one cannot be
// written; almost all that exist say 512 to those who do not ask for more.
const SectorSize = 512

// Alignment is what partitions begin at a multiple of, in bytes: 1 MiB, as all
// tools do.
const Alignment = 1 << 20

const (
	entrySize    = 128
	entryCount   = 128
	entrySectors = entryCount * entrySize / SectorSize

	// firstUsable is the first sector behind MBR, header and entries.
	firstUsable = 2 + entrySectors

	// backupSectors are those at the end: entries and header.
	backupSectors = entrySectors + 1
)

// Types of partitions that Stet's disks have.
var (
	ESP   = must("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
	Swap  = must("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")
	Store = must("bed90b21-26ff-441d-a7f4-89d1b1b57f80")
)

func must(text string) GUID {
	g, err := ParseGUID(text)
	if err != nil {
		panic(err)
	}
	return g
}

// Partition is one partition of a table. Start and Size are bytes.
type Partition struct {
	Number     int // of its entry, from 1: the kernel's number
	Type, ID   GUID
	Start      int64
	Size       int64
	Attributes uint64
	Name       string // at most 36 characters
}

// end is the first byte behind the partition.
func (p Partition) end() int64 { return p.Start + p.Size }

// Table is a partition table.
type Table struct {
	Disk       GUID
	DiskSize   int64 // bytes of the disk that the table is for
	Partitions []Partition
}

// Overhead is how many bytes of a disk no partition can have: what lies before
// the first one, and the backup at the end.
const Overhead = Alignment + Alignment

// Usable gives the end of the room for partitions on a disk of size bytes: the
// last multiple of [Alignment] before the backup.
func Usable(size int64) int64 {
	return (size/SectorSize - backupSectors) * SectorSize / Alignment * Alignment
}

// check refuses what cannot be written, or what no disk can have.
func (t *Table) check() error {
	if t.DiskSize < Overhead || t.DiskSize%SectorSize != 0 {
		return fmt.Errorf("a disk of %d bytes has no room for a partition table", t.DiskSize)
	}
	first, end := int64(firstUsable*SectorSize), t.DiskSize-backupSectors*SectorSize
	if len(t.Partitions) > entryCount {
		return fmt.Errorf("%d partitions are too many", len(t.Partitions))
	}
	for i, p := range t.Partitions {
		switch {
		case p.Type.IsZero() || p.ID.IsZero():
			return fmt.Errorf("partition %d has no type or no UUID", p.Number)
		case p.Number < 1 || p.Number > entryCount:
			return fmt.Errorf("there is no partition %d", p.Number)
		case p.Size <= 0 || p.Size%SectorSize != 0 || p.Start%SectorSize != 0:
			return fmt.Errorf("partition %d is not made of whole sectors", p.Number)
		case p.Start < first || p.Start > end || p.Size > end-p.Start:
			return fmt.Errorf("partition %d does not fit on the disk", p.Number)
		case len(utf16.Encode([]rune(p.Name))) > 36:
			return fmt.Errorf("partition %d: a name of %q is too long", p.Number, p.Name)
		}
		for _, other := range t.Partitions[:i] {
			if p.Start < other.end() && other.Start < p.end() {
				return fmt.Errorf("partitions %d and %d overlap", other.Number, p.Number)
			}
			if p.Number == other.Number {
				return fmt.Errorf("there are two partitions %d", p.Number)
			}
		}
	}
	return nil
}

// Grow gives the table for a disk of another size, with the partition of that
// number filling it. Growing a partition that is not the last one, or shrinking
// it, is an error; done is false when the table is for this size already and
// nothing would change.
func (t *Table) Grow(number int, size int64) (grown *Table, done bool, err error) {
	grown = &Table{Disk: t.Disk, DiskSize: size, Partitions: append([]Partition(nil), t.Partitions...)}
	found := false
	for i := range grown.Partitions {
		p := &grown.Partitions[i]
		if p.Number == number {
			found = true
			if end := Usable(size); end > p.end() {
				p.Size = end - p.Start
			}
		}
	}
	if !found {
		return nil, false, fmt.Errorf("there is no partition %d", number)
	}
	for _, p := range grown.Partitions {
		if p.Number != number && p.Start > startOf(t, number) {
			return nil, false, errors.New("behind the partition to grow is another one")
		}
	}
	if err := grown.check(); err != nil {
		return nil, false, err
	}
	for i := range grown.Partitions {
		if grown.Partitions[i] != t.Partitions[i] {
			return grown, true, nil
		}
	}
	return grown, size != t.DiskSize, nil
}

func startOf(t *Table, number int) int64 {
	for _, p := range t.Partitions {
		if p.Number == number {
			return p.Start
		}
	}
	return 0
}
