package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

const (
	signature = "EFI PART"
	revision  = 0x00010000
)

// maxEntries is more bytes of entries than any tool writes.
const maxEntries = 1 << 20

// ErrNone says that a disk has no GUID partition table.
var ErrNone = errors.New("the disk has no GUID partition table")

// Read reads the table of a disk of size bytes: the first copy, or the backup
// at the end of the disk when that is damaged. DiskSize is what the table was
// made for, which may be less than size: a disk can have grown.
func Read(disk io.ReaderAt, size int64) (*Table, error) {
	first, err := readCopy(disk, size, 1)
	if err == nil {
		return first, nil
	}
	last := size/SectorSize - 1
	if last > 1 {
		if backup, errBackup := readCopy(disk, size, last); errBackup == nil {
			return backup, nil
		}
	}
	return nil, err
}

// readCopy reads the copy whose header is at a sector.
func readCopy(disk io.ReaderAt, size, at int64) (*Table, error) {
	if size < (firstUsable+backupSectors)*SectorSize {
		return nil, ErrNone
	}
	h := make([]byte, SectorSize)
	if _, err := disk.ReadAt(h, at*SectorSize); err != nil {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	if string(h[:8]) != signature {
		return nil, ErrNone
	}
	length := binary.LittleEndian.Uint32(h[12:])
	if length < headerSize || length > SectorSize {
		return nil, errors.New("read partition table: a header of that size is none")
	}
	sum := binary.LittleEndian.Uint32(h[16:])
	clear(h[16:20])
	if crc32.ChecksumIEEE(h[:length]) != sum || binary.LittleEndian.Uint64(h[24:]) != uint64(at) {
		return nil, errors.New("read partition table: its header is damaged")
	}
	entries, each, err := readEntries(disk, size, h)
	if err != nil {
		return nil, err
	}
	own, other := binary.LittleEndian.Uint64(h[24:]), binary.LittleEndian.Uint64(h[32:])
	last := max(own, other)
	if last >= uint64(size/SectorSize) {
		return nil, errors.New("read partition table: it is for a larger disk")
	}
	t := &Table{Disk: fromMixed(h[56:72]), DiskSize: int64(last+1) * SectorSize}
	for i := 0; i*each < len(entries); i++ {
		e := entries[i*each:][:entrySize]
		if fromMixed(e[:16]).IsZero() {
			continue
		}
		p, err := readEntry(e, i+1, size)
		if err != nil {
			return nil, err
		}
		t.Partitions = append(t.Partitions, p)
	}
	return t, nil
}

func readEntries(disk io.ReaderAt, size int64, h []byte) (entries []byte, each int, err error) {
	at := binary.LittleEndian.Uint64(h[72:])
	count, bytesEach := binary.LittleEndian.Uint32(h[80:]), binary.LittleEndian.Uint32(h[84:])
	total := uint64(count) * uint64(bytesEach)
	if bytesEach < entrySize || bytesEach%8 != 0 || total > maxEntries || at > uint64(size/SectorSize) {
		return nil, 0, errors.New("read partition table: its entries cannot be where it says")
	}
	entries = make([]byte, total)
	if _, err := disk.ReadAt(entries, int64(at)*SectorSize); err != nil {
		return nil, 0, fmt.Errorf("read partition table: %w", err)
	}
	if crc32.ChecksumIEEE(entries) != binary.LittleEndian.Uint32(h[88:]) {
		return nil, 0, errors.New("read partition table: its entries are damaged")
	}
	return entries, int(bytesEach), nil
}

func readEntry(e []byte, number int, size int64) (Partition, error) {
	first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
	if first > last || last >= uint64(size/SectorSize) {
		return Partition{}, fmt.Errorf("read partition table: partition %d is not on the disk", number)
	}
	var name []uint16
	for text := e[56:entrySize]; len(text) > 0 && !bytes.Equal(text[:2], []byte{0, 0}); text = text[2:] {
		name = append(name, binary.LittleEndian.Uint16(text))
	}
	return Partition{
		Number: number, Type: fromMixed(e[:16]), ID: fromMixed(e[16:32]),
		Start: int64(first) * SectorSize, Size: int64(last-first+1) * SectorSize,
		Attributes: binary.LittleEndian.Uint64(e[48:]), Name: string(utf16.Decode(name)),
	}, nil
}
