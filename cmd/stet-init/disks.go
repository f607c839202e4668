package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"stet/internal/gpt"
)

// A disk is a block device that can have partitions.
type disk struct {
	name   string // in /dev
	serial string // of a virtio disk
	size   int64
	table  *gpt.Table // nil when there is none
	err    error      // why the table cannot be read
}

// A partition is one of a disk's, with the table that has it.
type partition struct {
	gpt.Partition
	device string // its path
	disk   *disk
}

// disks are the block devices that were seen. Tables are read once, and again
// after an error.
type disks struct {
	sys, dev string
	tables   map[string]*disk
}

// list gives the disks that are there, sorted by name, without their tables.
func (d *disks) list() []*disk {
	entries, _ := os.ReadDir(filepath.Join(d.sys, "block"))
	var all []*disk
	for _, entry := range entries {
		name := entry.Name()
		sectors, err := strconv.ParseInt(d.attribute(name, "size"), 10, 64)
		if err != nil || sectors <= 0 || isVirtual(name) {
			continue
		}
		all = append(all, &disk{name: name, serial: d.attribute(name, "serial"), size: sectors * 512})
	}
	return all
}

// isVirtual reports whether a block device is made by the kernel out of
// something else.
func isVirtual(name string) bool {
	return slices.ContainsFunc([]string{"loop", "ram", "zram", "dm-", "md"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

func (d *disks) attribute(name, attribute string) string {
	text, err := os.ReadFile(filepath.Join(d.sys, "block", name, attribute))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// partitions gives those of all disks.
func (d *disks) partitions(all []*disk) []partition {
	var found []partition
	for i, one := range all {
		if known := d.tables[one.name]; known != nil && known.size == one.size && known.err == nil {
			all[i] = known
		} else {
			d.readTable(one)
			d.tables[one.name] = one
		}
		if all[i].table == nil {
			continue
		}
		for _, p := range all[i].table.Partitions {
			found = append(found, partition{p, d.partitionDevice(all[i].name, p.Number), all[i]})
		}
	}
	return found
}

func (d *disks) readTable(one *disk) {
	file, err := os.Open(d.path(one.name))
	if err != nil {
		one.err = err
		return
	}
	defer file.Close()
	one.table, one.err = gpt.Read(file, one.size)
	if errors.Is(one.err, gpt.ErrNone) {
		one.err = nil
	}
}

// partitionDevice is the path of a partition, which the kernel names by its
// disk: vda3, nvme0n1p3.
func (d *disks) partitionDevice(name string, number int) string {
	if last := name[len(name)-1]; last >= '0' && last <= '9' {
		name += "p"
	}
	return d.path(name + strconv.Itoa(number))
}

// path is that of a device.
func (d *disks) path(name string) string { return filepath.Join(d.dev, name) }

// describe tells a person what there is on a disk.
func (d *disk) describe() string {
	var details []string
	if d.serial != "" {
		details = append(details, fmt.Sprintf("serial number %q", d.serial))
	}
	switch {
	case d.err != nil:
		details = append(details, d.err.Error())
	case d.table == nil:
		details = append(details, "no partition table")
	default:
		details = append(details, plural(len(d.table.Partitions), "partition"))
	}
	return fmt.Sprintf("%s (%.1f GB, %s)", d.name, float64(d.size)/1e9, strings.Join(details, ", "))
}

// describe tells a person which partition it is.
func (p partition) describe() string {
	return fmt.Sprintf("%s (%s)", p.device, p.ID)
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
