package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/config"
	"stet/internal/hardware"
)

func TestWhatWasDetectedIsAConfiguration(t *testing.T) {
	for _, found := range []*hardware.Hardware{
		{},
		{
			Modules: []string{"ahci", "nvme"}, Packages: []string{"firmware-iwlwifi", "intel-microcode"}, Unknown: []string{"odd/one.bin"},
			Disks: []hardware.Disk{{Name: "nvme0n1", Model: "SAMSUNG: {", Size: 512 << 30}},
		},
	} {
		dir := t.TempDir()
		text := strings.ReplaceAll(withHardware(starter, found), "NAME", "laptop")
		if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(t.Context(), dir)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		m := c.Machines["laptop"]
		if strings.Join(m.Kernel.Modules, " ") != strings.Join(found.Modules, " ") {
			t.Errorf("modules %v, want %v", m.Kernel.Modules, found.Modules)
		}
		for _, p := range found.Packages {
			if _, ok := m.Packages[p]; !ok {
				t.Errorf("no package %s in\n%s", p, text)
			}
		}
	}
}
