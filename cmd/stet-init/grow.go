package main

import (
	"stet/internal/gpt"
	"stet/internal/grow"
)

// growStore lets the store fill its disk, which may have become larger, or be
// another one than the image was made for. A machine boots without it, too.
func (m *machine) growStore() error {
	if m.store.disk == nil || m.store.disk.table == nil {
		return nil
	}
	for _, p := range m.store.disk.table.Partitions {
		if m.disks.partitionDevice(m.store.disk.name, p.Number) != m.store.device || p.Type != gpt.Store {
			continue
		}
		disk := m.store.disk
		grown, err := grow.Partition(m.disks.path(disk.name), disk.size, disk.table, p.Number)
		if err == nil {
			var filled bool
			filled, err = grow.FileSystem(m.store.device, m.at("stet"))
			grown = grown || filled
		}
		if err != nil {
			m.problem("the store does not fill its disk: %v", err)
		}
		if grown {
			m.lap("grow")
		}
	}
	return nil
}
