//go:build long

package generations_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// TestAPlainRebootLandsOnTheNextGeneration goes through it with firmware, boot
// loader and the ESP's own file system: one machine's life, because a boot is what
// costs time.
func TestAPlainRebootLandsOnTheNextGeneration(t *testing.T) {
	stet := program.Example(t, "minimal")
	disk := filepath.Join(t.TempDir(), "disk.raw")
	declare(t, stet, "The first.", "console=ttyS0")
	first := stet.Build(t)
	stet.Must(t, "image", "-o", disk)
	declare(t, stet, "The second.", "console=ttyS0, second")
	second := stet.Build(t)
	stick := handedOver(t, stet)

	m := guest.StartDisk(t, first, disk, func(c *vm.Config) { c.MoreDisks = []string{stick} })

	stands := func(number int, motd string) {
		t.Helper()
		m.Booted(t)
		if have := m.Run(t, "cat /etc/motd"); strings.TrimSpace(have) != motd {
			t.Fatalf("the machine says %q, want %q", have, motd)
		}
		if g := listedIn(t, m); !slices.Contains(g.Generations[number-1].States, "booted") || !slices.Contains(g.Generations[number-1].States, "running") {
			t.Fatalf("generation %d was not booted: %s", number, g)
		}
	}
	stands(1, "The first.")
	var s staged
	must(t, json.Unmarshal([]byte(m.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt && stet boot --from /mnt --json")), &s))
	if s.Generation != 2 || s.System != second.Digest || s.Tries != 3 || s.ESPBytes > 8192 {
		t.Errorf("%+v", s)
	}
	reboot(t, m)
	stands(2, "The second.")
	if have := m.Run(t, "ls /efi/loader/entries"); have != "stet-1.conf\nstet-2.conf" { // it came up, and has no counter any more
		t.Errorf("on the ESP there is %s", have)
	}
	must(t, json.Unmarshal([]byte(m.Run(t, "stet rollback --boot --json")), &s))
	if s.Generation != 3 || s.System != first.Digest || s.ESPBytes > 8192 {
		t.Errorf("%+v", s)
	}
	reboot(t, m)
	stands(3, "The first.")
	for _, c := range [][2]string{
		{"/etc/motd", `stet.yaml:6:9: files."/etc/motd"`}, {"/etc/motd", "as it is since generation 3 ("}, {"/etc/motd", "before: otherwise in 2, the same in 1"},
		{"base-files", " since generation 1 ("},
	} {
		if have := m.Run(t, "stet why "+c[0]); !strings.Contains(have, c[1]) {
			t.Errorf("why %s lacks %q:\n%s", c[0], c[1], have)
		}
	}

	for n := 4; n <= 20; n++ {
		m.Run(t, fmt.Sprintf("stet rollback --boot %d", 2-n%2))
	}
	if have := m.Run(t, "ls /efi/loader/entries | wc -l; ls /efi/stet | wc -l"); have != "20\n2" {
		t.Errorf("entries, kernels and initrds: %s", have)
	}
	if g := listedIn(t, m); len(g.Generations) != 20 {
		t.Errorf("there are %s", g)
	}
	// Which processes use what is found out; then what nobody needs goes.
	var gone struct{ Generations []int }
	must(t, json.Unmarshal([]byte(m.Run(t, "stet -v gc --keep 2 --json")), &gone))
	if slices.Contains(gone.Generations, 3) || !slices.Contains(gone.Generations, 4) {
		t.Errorf("%v went", gone.Generations)
	}
	m.Run(t, "stet verify --quick")
}

// declare writes a machine that the lock of examples/minimal is good for.
func declare(t *testing.T, stet program.Program, motd, parameters string) {
	t.Helper()
	text := fmt.Sprintf(`name: minimal
base: minimal
network: {dhcp: false}
kernel: {package: linux-image-cloud-amd64, parameters: [%s]}
disk: {esp: 200M}
files: {/etc/motd: {text: "%s\n"}}
`, parameters, motd)
	must(t, os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), []byte(text), 0o644))
}

// handedOver is a disk with the directory from which a machine takes a system.
func handedOver(t *testing.T, stet program.Program) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stick")
	stet.Must(t, "send", "--to", dir)
	image := filepath.Join(t.TempDir(), "stick.raw")
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", dir, image, "1g")
	return image
}

func listedIn(t *testing.T, m *guest.Machine) (l listed) {
	t.Helper()
	must(t, json.Unmarshal([]byte(m.Run(t, "stet generations --json")), &l))
	return l
}

func reboot(t *testing.T, m *guest.Machine) {
	t.Helper()
	must(t, m.Reboot(t.Context()))
}
