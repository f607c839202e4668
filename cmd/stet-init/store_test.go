package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/gpt"
)

func id(t *testing.T, number int) gpt.GUID {
	t.Helper()
	g, err := gpt.ParseGUID(fmt.Sprintf("00000000-0000-0000-0000-%012d", number))
	must(t, err)
	return g
}

const mib = 1 << 20

// machineDisks plays block devices. Each is named with its partitions, in the
// words esp, swap and stet, which get the numbers 11, 12, … on the first disk, 21
// on the second; a word in quotes is a serial number.
func machineDisks(t *testing.T, description ...string) *disks {
	t.Helper()
	d := &disks{t.TempDir(), t.TempDir(), map[string]*disk{}}
	for i, line := range description {
		words := strings.Fields(line)
		name := words[0]
		table := &gpt.Table{Disk: id(t, i+1), DiskSize: 16 * mib}
		for j, word := range words[1:] {
			if serial, ok := strings.CutPrefix(word, `"`); ok {
				write(t, filepath.Join(d.sys, "block", name, "serial"), strings.TrimSuffix(serial, `"`)+"\n")
				continue
			}
			kind := map[string]gpt.GUID{"esp": gpt.ESP, "swap": gpt.Swap, "stet": gpt.Store}[word]
			table.Partitions = append(table.Partitions, gpt.Partition{
				Number: j + 1, Type: kind, ID: id(t, 10*(i+1)+j+1), Start: int64(j+1) * mib, Size: mib, Name: word,
			})
			write(t, d.partitionDevice(name, j+1), "")
		}
		write(t, filepath.Join(d.sys, "block", name, "size"), fmt.Sprintln(table.DiskSize/512))
		file, err := os.Create(d.path(name))
		must(t, err)
		must(t, file.Truncate(table.DiskSize))
		if len(table.Partitions) > 0 {
			must(t, table.Write(file, nil))
		}
		must(t, file.Close())
	}
	return d
}

func TestStoreIsFound(t *testing.T) {
	tests := []struct {
		name   string
		disks  []string
		named  int // stet.store=
		loader int // LoaderDevicePartUUID
		found  string
		after  time.Duration
	}{
		{"the only one", []string{"vda esp swap stet", "vdb esp"}, 0, 0, "vda3", storeSettles},
		{"on a disk whose name ends in a digit", []string{"nvme0n1 esp stet"}, 0, 11, "nvme0n1p2", 0},
		{"on the disk that was started", []string{"sda esp stet", "sdb esp stet"}, 0, 21, "sdb2", 0},
		{"several, and nobody says which", []string{"sda esp stet", "sdb esp stet"}, 0, 0, "sda2 sdb2", storeSettles},
		{"several on the disk that was started", []string{"sda esp stet stet", "sdb esp stet"}, 0, 11, "sda2 sda3", 0},
		{"started from a stick", []string{"sda esp stet", "sdb esp"}, 0, 21, "sda2", storeSettles},
		{"the disk that was started is still to come", []string{"sda esp stet"}, 0, 99, "sda2", storeDeadline},
		{"named", []string{"sda esp stet", "sdb esp stet"}, 22, 11, "sdb2", 0},
		{"named, of any type", []string{"sda esp"}, 11, 0, "sda1", 0},
		{"named and not there", []string{"sda esp stet"}, 99, 11, "", 0},
		{"none", []string{"sda esp", "sdb"}, 0, 11, "", storeSettles},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := machineDisks(t, test.disks...)
			var named, loader gpt.GUID
			if test.named != 0 {
				named = id(t, test.named)
			}
			if test.loader != 0 {
				loader = id(t, test.loader)
			}
			found, after := choose(named, func() gpt.GUID { return loader }, d.partitions(d.list()))
			var names []string
			for _, p := range found {
				names = append(names, filepath.Base(p.device))
			}
			if got := strings.Join(names, " "); got != test.found || after != test.after {
				t.Errorf("%q after %v, want %q after %v", got, after, test.found, test.after)
			}
		})
	}
}

// find looks for the store as a boot does.
func find(t *testing.T, d *disks, named gpt.GUID) (*machine, error) {
	t.Helper()
	none, err := readModules(t.TempDir())
	must(t, err)
	m := &machine{disks: *d, modules: none, commands: commandLine{store: named}}
	return m, m.findStore()
}

func TestStoreOfAVirtualMachineIsAWholeDisk(t *testing.T) {
	d := machineDisks(t, `vda "data" esp stet`, `vdb "stet-store"`, `vdc "stet-store-2"`)
	m, err := find(t, d, gpt.GUID{})
	if err != nil || m.store.device != d.path("vdb") || m.store.disk != nil {
		t.Errorf("%+v, %v", m.store, err)
	}
	if len(d.tables) != 0 {
		t.Error("partition tables were read for nothing")
	}
	if m, err = find(t, d, id(t, 13)); err != nil || m.store.device != d.path("vda3") {
		t.Errorf("the command line names vda3, found %+v, %v", m.store, err)
	}
}

func TestTheOnlyStoreCountsWhenNoOtherDiskComes(t *testing.T) {
	d := machineDisks(t, "sda esp", "sdb esp stet")
	begin := time.Now()
	m, err := find(t, d, gpt.GUID{})
	if err != nil || m.store.device != d.path("sdb2") || m.store.disk.name != "sdb" {
		t.Errorf("%+v, %v", m.store, err)
	}
	if took := time.Since(begin); took < storeSettles {
		t.Errorf("it was sure after %v", took)
	}
	d = machineDisks(t, "sda esp stet", "sdb esp stet")
	_, err = find(t, d, gpt.GUID{})
	checkRemedy(t, "two stores", err, "sda2 (00000000-0000-0000-0000-000000000012), "+d.path("sdb2"))
}

func TestADamagedTableIsToldToPeople(t *testing.T) {
	d := machineDisks(t, "sda esp stet", `vda "data"`, "sdc esp")
	must(t, os.WriteFile(d.path("sda"), []byte("short"), 0o600))
	write(t, filepath.Join(d.sys, "block/loop0/size"), "0\n")
	write(t, filepath.Join(d.sys, "block/sr0/size"), "garbage\n")
	all := d.list()
	if parts := d.partitions(all); len(parts) != 1 {
		t.Errorf("%+v", parts)
	}
	err := noStore(gpt.GUID{}, all)
	checkRemedy(t, "no store", err, `vda (0.0 GB, serial number "data", no partition table)`)
	checkRemedy(t, "no store", err, "sda (0.0 GB, read partition table: EOF)")
	checkRemedy(t, "no store", err, "sdc (0.0 GB, 1 partition)")
	checkRemedy(t, "no disk", noStore(gpt.GUID{}, nil), "no disk at all")
	checkRemedy(t, "named", noStore(id(t, 7), nil), "000000000007, which stet.store= names")
}

func TestFirmwareNamesThePartition(t *testing.T) {
	text := "BED90B21-26FF-441D-A7F4-89D1B1B57F80"
	raw := []byte{6, 0, 0, 0}
	for _, c := range text + "\x00" {
		raw = append(raw, byte(c), 0)
	}
	if got, err := parseLoaderVariable(raw); err != nil || got != gpt.Store {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range [][]byte{nil, {6, 0, 0, 0}, raw[:len(raw)-3], raw[:20]} {
		if got, err := parseLoaderVariable(bad); err == nil {
			t.Errorf("%v is taken for %s", bad, got)
		}
	}
}

func TestPartitionsBesideTheStoreGetUnits(t *testing.T) {
	units, links := beside(&gpt.Table{Partitions: []gpt.Partition{
		{Type: gpt.ESP, ID: id(t, 1)}, {Type: gpt.Swap, ID: id(t, 2)}, {Type: gpt.Store, ID: id(t, 3)}, {Type: gpt.ESP, ID: id(t, 4)},
	}})
	swap := `dev-disk-by\x2dpartuuid-00000000\x2d0000\x2d0000\x2d0000\x2d000000000002.swap`
	for name, want := range map[string]string{
		"efi.mount": "What=/dev/disk/by-partuuid/00000000-0000-0000-0000-000000000001\n", "efi.automount": "Where=/efi\n",
		swap: "What=/dev/disk/by-partuuid/00000000-0000-0000-0000-000000000002\n",
	} {
		if !strings.Contains(units[name], want) {
			t.Errorf("%s is %q", name, units[name])
		}
	}
	if len(units) != 3 || len(links) != 2 || links["swap.target.wants/"+swap] != "../"+swap || links["local-fs.target.wants/efi.automount"] != "../efi.automount" {
		t.Errorf("%v, %v", units, links)
	}
	run := t.TempDir()
	m := &machine{run: run}
	must(t, m.addUnits(units, links))
	if got := read(t, filepath.Join(run, "systemd/system/swap.target.wants", swap)); got != units[swap] {
		t.Errorf("the link leads to %q", got)
	}
}
