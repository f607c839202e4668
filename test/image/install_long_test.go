//go:build long

package image_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stet/internal/vm"
	"stet/test/program"
)

// TestAMachineInstallsAnother has a running machine, whose clock says 2031, build
// examples/minimal without any network, and write it to a second disk. The repository
// and the fetched packages come on a third; all else, tools included, the machine
// makes of them. What it builds is what this host has built today, byte for byte.
func TestAMachineInstallsAnother(t *testing.T) {
	p := committed(t, "minimal", "")
	want := p.Build(t)
	stick := filepath.Join(t.TempDir(), "stick")
	carried := t.TempDir()
	p.GiveDebs(t, carried)
	must(t, "git", "clone", "--quiet", "--no-hardlinks", p.Dir, filepath.Join(carried, "repository"))
	must(t, "mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", carried, stick, "2G")
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, "truncate", "--size=3G", empty)

	host := committed(t, "hello", "\ndisk: {size: 6G, esp: 100M}\n")
	built := host.Build(t)
	disk := image(t, host, "-o", filepath.Join(t.TempDir(), "disk.raw")).Image
	later := time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
	first := boot(t, built, disk, with(stick, empty), func(c *vm.Config) { c.Clock = later })
	if year := first.Run(t, "date +%Y"); year != "2031" {
		t.Fatalf("in the machine it is %s", year)
	}
	first.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt && mkdir /var/tmp/store && cp -r /mnt/mirror /var/tmp/store/")
	if said, status := first.Try(t, "stet -C /stet/repository install /dev/disk/by-id/virtio-disk2"); status != 2 {
		t.Errorf("a disk that is in use: exit status %d\n%s", status, said)
	}

	// In a store of its own: nothing that the machine has is in the way.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	does := func(command string) (output []byte) {
		t.Helper()
		begin := time.Now()
		result, err := first.Exec(ctx, vm.Shell("cd /mnt/repository && STET_STORE=/var/tmp/store exec unshare --net stet "+command))
		if err != nil {
			t.Fatal(err)
		}
		if result.ExitStatus != 0 {
			t.Fatalf("stet %s ended with %d\n%s%s", command, result.ExitStatus, result.Stdout, result.Stderr)
		}
		t.Logf("stet %s took %.0f s", command, time.Since(begin).Seconds())
		return result.Stdout
	}
	var have program.Built
	if err := json.Unmarshal(does("build --json"), &have); err != nil {
		t.Fatal(err)
	}
	if have.Digest != want.Digest || have.Reused {
		t.Errorf("in 2031 the system is %s, not %s", have.Digest, want.Digest)
	}
	for name, outside := range want.Images {
		content, err := first.ReadFile(ctx, have.Images[name])
		if err != nil {
			t.Fatal(err)
		}
		today, err := os.ReadFile(outside)
		if err != nil {
			t.Fatal(err)
		}
		if string(content) != string(today) {
			t.Errorf("the %s image differs", name)
		}
	}
	t.Logf("%s", does("install /dev/disk/by-id/virtio-disk3"))
	machine := first.Run(t, "cat /etc/machine-id")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(disk); err != nil {
		t.Fatal(err)
	}

	clean(t, empty)
	second := boot(t, want, empty)
	if have := second.Run(t, "cat /run/stet/system"); have != want.Digest {
		t.Errorf("the new disk has %s, not %s", have, want.Digest)
	}
	if have := second.Run(t, "cat /etc/machine-id"); have == machine {
		t.Errorf("both machines are %s", have)
	}
}
