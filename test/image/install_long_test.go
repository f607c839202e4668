//go:build long

package image_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stet/internal/vm"
)

// TestAMachineInstallsAnother has a running machine build what its own repository
// says, and write it to a second disk. The fetched packages come on a third; all
// else, tools included, the machine makes of them.
func TestAMachineInstallsAnother(t *testing.T) {
	p := committed(t, "hello", "\ndisk: {size: 6G, esp: 100M}\n")
	built := p.Build(t)
	disk := image(t, p, "-o", filepath.Join(t.TempDir(), "disk.raw")).Image

	packages, stick, empty := t.TempDir(), filepath.Join(t.TempDir(), "stick"), filepath.Join(t.TempDir(), "empty")
	p.GiveDebs(t, packages)
	must(t, "mke2fs", "-q", "-t", "ext4", "-d", packages, stick, "2G")
	must(t, "truncate", "--size=3G", empty)

	first := boot(t, built, disk, stick, empty)
	first.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt && cp -r /mnt/mirror /stet/")
	if said, status := first.Try(t, "stet -C /stet/repository install /dev/disk/by-id/virtio-disk2"); status != 2 {
		t.Errorf("a disk that is in use: exit status %d\n%s", status, said)
	}
	// The machine makes its own tools of packages first, on an emulated processor.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	result, err := first.Exec(ctx, vm.Shell("stet -C /stet/repository install /dev/disk/by-id/virtio-disk3"))
	if err != nil || result.ExitStatus != 0 {
		t.Fatalf("%v %+v", err, result)
	}
	t.Logf("%s", result.Stdout)
	machine := first.Run(t, "cat /etc/machine-id")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(disk); err != nil {
		t.Fatal(err)
	}

	clean(t, empty)
	second := boot(t, built, empty)
	if have := second.Run(t, "cat /run/stet/system"); have != built.Digest {
		t.Errorf("the new disk has %s, not %s", have, built.Digest)
	}
	if have := second.Run(t, "cat /etc/machine-id"); have == machine {
		t.Errorf("both machines are %s", have)
	}
}
