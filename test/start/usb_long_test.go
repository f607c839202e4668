//go:build long

package start_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

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
	config.Disk = wholeDisk(t, config.Disk)
	startOn(t, config, vm.USB, vm.UAS, vm.MegaRAID, vm.NVMe, vm.SATA)
}
