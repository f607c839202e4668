package gpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

const headerSize = 92

// Write writes the table to a disk: the backup first, the protective MBR last,
// so that at any moment one of the two copies is whole. Sync, when it is not
// nil, is called in between.
func (t *Table) Write(disk io.WriterAt, sync func() error) error {
	front, back, err := t.Encode()
	if err != nil {
		return err
	}
	if sync == nil {
		sync = func() error { return nil }
	}
	for _, step := range []struct {
		what   string
		bytes  []byte
		offset int64
	}{
		{"backup of the partition table", back, t.DiskSize - int64(len(back))},
		{"partition table", front[SectorSize:], SectorSize},
		{"protective MBR", front[:SectorSize], 0},
	} {
		if _, err := disk.WriteAt(step.bytes, step.offset); err != nil {
			return fmt.Errorf("write the %s: %w", step.what, err)
		}
		if err := sync(); err != nil {
			return fmt.Errorf("write the %s: %w", step.what, err)
		}
	}
	return nil
}

// Encode gives the bytes at the beginning of the disk and those at its end.
func (t *Table) Encode() (front, back []byte, err error) {
	if err := t.check(); err != nil {
		return nil, nil, fmt.Errorf("write partition table: %w", err)
	}
	entries := t.entries()
	last := t.DiskSize/SectorSize - 1
	front = append(t.protectiveMBR(), t.header(1, last, 2, entries)...)
	front = append(front, entries...)
	back = append(append([]byte(nil), entries...), t.header(last, 1, last-entrySectors, entries)...)
	return front, back, nil
}

// protectiveMBR is sector 0: one partition over the whole disk, for programs
// that know nothing of GPT (5.2.3).
func (t *Table) protectiveMBR() []byte {
	mbr := make([]byte, SectorSize)
	p := mbr[446:]
	p[2] = 0x02 // cylinder, head and sector of the first
	p[4] = 0xee
	p[5], p[6], p[7] = 0xff, 0xff, 0xff
	binary.LittleEndian.PutUint32(p[8:], 1)
	binary.LittleEndian.PutUint32(p[12:], uint32(min(t.DiskSize/SectorSize-1, 0xffffffff)))
	mbr[510], mbr[511] = 0x55, 0xaa
	return mbr
}

func (t *Table) entries() []byte {
	entries := make([]byte, entryCount*entrySize)
	for _, p := range t.Partitions {
		e := entries[(p.Number-1)*entrySize:]
		kind, id := p.Type.mixed(), p.ID.mixed()
		copy(e[0:], kind[:])
		copy(e[16:], id[:])
		binary.LittleEndian.PutUint64(e[32:], uint64(p.Start/SectorSize))
		binary.LittleEndian.PutUint64(e[40:], uint64(p.end()/SectorSize-1))
		binary.LittleEndian.PutUint64(e[48:], p.Attributes)
		for i, c := range utf16.Encode([]rune(p.Name)) {
			binary.LittleEndian.PutUint16(e[56+2*i:], c)
		}
	}
	return entries
}

// header is a sector with the header of the copy at sector own (5.3.2).
func (t *Table) header(own, other, entriesAt int64, entries []byte) []byte {
	h := make([]byte, SectorSize)
	disk := t.Disk.mixed()
	copy(h, signature)
	binary.LittleEndian.PutUint32(h[8:], revision)
	binary.LittleEndian.PutUint32(h[12:], headerSize)
	binary.LittleEndian.PutUint64(h[24:], uint64(own))
	binary.LittleEndian.PutUint64(h[32:], uint64(other))
	binary.LittleEndian.PutUint64(h[40:], firstUsable)
	binary.LittleEndian.PutUint64(h[48:], uint64(t.DiskSize/SectorSize-backupSectors-1))
	copy(h[56:], disk[:])
	binary.LittleEndian.PutUint64(h[72:], uint64(entriesAt))
	binary.LittleEndian.PutUint32(h[80:], entryCount)
	binary.LittleEndian.PutUint32(h[84:], entrySize)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerSize]))
	return h
}
