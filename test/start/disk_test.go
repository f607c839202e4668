package start_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

const mib = 1 << 20

// TestStoreIsFoundByItsPartition has a whole disk, and nobody says where on it the
// store is.
func TestStoreIsFoundByItsPartition(t *testing.T) {
	stet := program.Example(t, "minimal")
	built := stet.Build(t)
	config := guest.Config(t, stet, built)
	config.Base, config.Disk = nil, wholeDisk(t, guest.DiskFile(t, config))
	hasItsPartitions(t, &guest.Machine{VM: start(t, config, vm.SATA), Built: built})
}

// start starts a machine that looks for its store on a bus, and waits until it is
// found.
func start(t *testing.T, config vm.Config, bus vm.Bus) *vm.VM {
	t.Helper()
	config.Bus = bus
	config.DiskSerial = "disk"
	// On a busy host, udev needs more than the 90 s that systemd gives a device.
	config.CommandLine += " ignore_loglevel systemd.default_device_timeout_sec=600"
	config.RunDirectory = t.TempDir()
	machine, err := vm.Start(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { machine.Close() })
	if log := waitFor(t, machine, mounted, "cannot start"); !strings.Contains(log, mounted) {
		t.Fatalf("the console says\n%s", log)
	}
	return machine
}

// hasItsPartitions looks at what systemd makes of the disk.
func hasItsPartitions(t *testing.T, m *guest.Machine) {
	if state := m.Booted(t); state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain"))
	}
	for _, c := range []struct{ line, want string }{
		{`systemctl is-active efi.automount`, "active"},
		{`cat /efi/hello && findmnt -no SOURCE,FSTYPE -t vfat /efi | tr -s ' '`, "from the ESP\n/dev/sda1 vfat"},
		{`echo x >/efi/new && stat -c '%U %a' /efi /efi/new`, "root 700\nroot 700"},
		{`swapon --noheadings --show=NAME`, "/dev/sda2"},
		{`grep -o '"store": "/dev/sda3"' /run/stet/boot.json`, `"store": "/dev/sda3"`},
		{`findmnt -rno SOURCE /stet`, "/dev/sda3"},
		{`findmnt -rno TARGET -t vfat,ext4 | sort | tr '\n' ' '`, "/efi /home /opt /root /run/stet/bin /srv /stet /var"},
		{`journalctl -b -p warning -o cat --no-pager | grep -iE 'stet|gpt|efi|swap' || true`, ""},
	} {
		if have, _ := m.Try(t, c.line); have != c.want {
			t.Errorf("%s\nhave %q\nwant %q", c.line, have, c.want)
		}
	}
}

// wholeDisk makes a disk with an ESP, swap, and a store that is a copy of a file
// system's image.
func wholeDisk(t *testing.T, store string) string {
	t.Helper()
	info, err := os.Stat(store)
	must(t, err)
	table := &gpt.Table{Disk: gpt.GUID{15: 1}, DiskSize: 49*mib + info.Size() + mib, Partitions: []gpt.Partition{
		{Number: 1, Type: gpt.ESP, ID: gpt.GUID{15: 11}, Start: mib, Size: 40 * mib, Name: "esp"},
		{Number: 2, Type: gpt.Swap, ID: gpt.GUID{15: 12}, Start: 41 * mib, Size: 8 * mib, Name: "swap"},
		{Number: 3, Type: gpt.Store, ID: gpt.GUID{15: 13}, Start: 49 * mib, Size: info.Size(), Name: "stet"},
	}}
	name := filepath.Join(t.TempDir(), "disk.raw")
	disk, err := os.Create(name)
	must(t, err)
	defer disk.Close()
	must(t, disk.Truncate(table.DiskSize))
	must(t, table.Write(disk, nil))
	for i, make := range [][]string{{"mkfs.vfat", "-F", "32"}, {"mkswap"}} {
		p := table.Partitions[i]
		part := filepath.Join(t.TempDir(), p.Name)
		must(t, os.WriteFile(part, nil, 0o600))
		must(t, os.Truncate(part, p.Size))
		if out, err := exec.Command(make[0], append(make[1:], part)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", make, err, out)
		}
		if p.Type == gpt.ESP {
			command := exec.Command("mcopy", "-i", part, "-", "::hello")
			command.Stdin = strings.NewReader("from the ESP\n")
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("mcopy: %v\n%s", err, out)
			}
		}
		copyInto(t, disk, p.Start, part)
	}
	copyInto(t, disk, table.Partitions[2].Start, store)
	return name
}

// copyInto copies a file with holes to a place in another one.
func copyInto(t *testing.T, to *os.File, at int64, name string) {
	t.Helper()
	from, err := os.Open(name)
	must(t, err)
	defer from.Close()
	for end := int64(0); ; {
		begin, err := from.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return
		}
		must(t, err)
		end, err = from.Seek(begin, unix.SEEK_HOLE)
		must(t, err)
		_, err = io.Copy(io.NewOffsetWriter(to, at+begin), io.NewSectionReader(from, begin, end-begin))
		must(t, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
