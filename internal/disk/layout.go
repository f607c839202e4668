package disk

import (
	"fmt"

	"stet/internal/fat"
	"stet/internal/gpt"
)

// Layout says how large the parts of a disk are, in bytes.
type Layout struct {
	Size int64 // of the whole disk
	ESP  int64
	Swap int64 // 0 for none
}

// minStore is the least that the file system of a store can have: less, and
// mke2fs leaves the journal out.
const minStore = 64 << 20

// Check refuses a layout that cannot be.
func (l Layout) Check() error {
	for _, part := range []struct {
		what      string
		size, min int64
	}{{"disk.size", l.Size, 0}, {"disk.esp", l.ESP, fat.MinSize}, {"disk.swap", l.Swap, 0}} {
		if part.size%gpt.Alignment != 0 && part.what != "disk.size" { // a disk is what it is
			return fmt.Errorf("%s: %d bytes are not whole MiB", part.what, part.size)
		}
		if part.size < part.min {
			return fmt.Errorf("%s: %d MB are too few: at least %d", part.what, part.size/1e6, part.min/1e6)
		}
	}
	if room := l.store(); room < minStore {
		return fmt.Errorf("disk.size: %d MB leave %d MB for the store beside ESP and swap", l.Size/1e6, max(0, room)/1e6)
	}
	return nil
}

// store is what is left for it.
func (l Layout) store() int64 { return gpt.Usable(l.Size) - gpt.Alignment - l.ESP - l.Swap }

// table is the partition table: the store last, so that it can grow.
func (l Layout) table(ids Identities) (*gpt.Table, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	t := &gpt.Table{Disk: ids("disk"), DiskSize: l.Size}
	at := int64(gpt.Alignment)
	for _, p := range []gpt.Partition{
		{Type: gpt.ESP, Size: l.ESP, Name: "esp"},
		{Type: gpt.Swap, Size: l.Swap, Name: "swap"},
		{Type: gpt.Store, Size: l.store(), Name: "stet"},
	} {
		if p.Size == 0 {
			continue
		}
		p.Number, p.Start, p.ID = len(t.Partitions)+1, at, ids("partition "+p.Name)
		at += p.Size
		t.Partitions = append(t.Partitions, p)
	}
	return t, nil
}
