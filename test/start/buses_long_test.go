//go:build long

package start_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// startOn starts a machine with its disk on each of the buses, as far as the end
// of the initrd.
func startOn(t *testing.T, config vm.Config, buses ...vm.Bus) {
	for _, bus := range buses {
		t.Run(cmp.Or(string(bus), "virtio-blk"), func(t *testing.T) { start(t, config, bus) })
	}
}

// TestStoreIsFoundOnEveryBus gives one initrd the same disk in the other ways that
// Debian's cloud kernel has drivers for.
func TestStoreIsFoundOnEveryBus(t *testing.T) {
	stet := program.Example(t, "minimal")
	config := guest.Config(t, stet, stet.Build(t))
	config.Base, config.Disk = nil, wholeDisk(t, guest.DiskFile(t, config))
	startOn(t, config, vm.VirtioBlock, vm.NVMe, vm.VirtioSCSI, vm.VMware)
}

// TestStoreIsFoundByTheDriversOfHardware has Debian's kernel for hardware, whose
// drivers the one for clouds lacks.
func TestStoreIsFoundByTheDriversOfHardware(t *testing.T) {
	stet := program.Example(t, "minimal")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	must(t, err)
	text = []byte(strings.Replace(string(text), "linux-image-cloud-amd64", "linux-image-amd64", 1))
	must(t, os.WriteFile(name, text, 0o644))
	stet.Must(t, "lock")
	built := stet.Build(t)
	config := guest.Config(t, stet, built)
	config.Base, config.Disk = nil, wholeDisk(t, guest.DiskFile(t, config))
	startOn(t, config, vm.USB, vm.UAS, vm.MegaRAID, vm.NVMe, vm.SATA)
}
