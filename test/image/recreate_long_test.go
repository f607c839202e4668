//go:build long

package image_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// bootTime is how long firmware and an emulated guest may take on a busy host.
const bootTime = 20 * time.Minute

// boot boots a disk as hardware does. The options may change what QEMU runs.
func boot(t *testing.T, built program.Built, disk string, options ...func(*vm.Config)) *guest.Machine {
	t.Helper()
	hardware := func(c *vm.Config) { c.CommandLine, c.DiskSerial, c.Memory = "console=ttyS0", "machine", 2048 }
	machine := guest.StartDisk(t, built, disk, append([]func(*vm.Config){hardware}, options...)...)
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	state, err := machine.WaitBooted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if state != "running" {
		output, _ := machine.Exec(ctx, vm.Shell("systemctl --failed --no-legend"))
		t.Errorf("the machine is %s\n%s", state, output.Stdout)
	}
	return machine
}

// with gives a machine further disks, which it writes to.
func with(disks ...string) func(*vm.Config) {
	return func(c *vm.Config) { c.MoreDisks = disks }
}

// identity is what must be the same on a machine that was made anew.
const identity = "cat /run/stet/system /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /srv/www/data; stat -c '%U %a %Y' /home/ada/notes"

// TestAMachineIsMadeAnew loses the disk of a machine. It is the page
// docs/recreate.md, and on the way the life of a disk: an image on a disk that is
// larger boots by firmware, fills it, and says what it is.
func TestAMachineIsMadeAnew(t *testing.T) {
	p := committed(t, "hello", "\ndisk: {size: 3G, esp: 100M, swap: 64M}\n")
	built := p.Build(t)
	disk := image(t, p, "-o", filepath.Join(t.TempDir(), "disk.raw")).Image
	if err := os.Truncate(disk, 5<<30); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(backup, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(backup, 1<<30); err != nil {
		t.Fatal(err)
	}

	first := boot(t, built, disk, with(backup))
	for line, want := range map[string]string{
		"stat -f -c '%b %S' /stet | awk '{print ($1 * $2 > 4.4e9)}'": "1",
		"cat /run/stet/system": built.Digest,
		"findmnt -no FSTYPE /efi || { ls /efi >/dev/null; findmnt -no FSTYPE /efi; }": "vfat",
		"tail -n +2 /proc/swaps | wc -l":                                              "1",
		"cat /efi/loader/entries.srel":                                                "type1",
		"ls /efi/loader/entries":                                                      "stet-1.conf",
		"cat /stet/repository/.git/refs/heads/main":                                   program.Git(t, p.Dir, "rev-parse", "HEAD"),
		"stet -C /stet/repository check >/dev/null && echo fine":                      "fine",
		"curl -fsS http://localhost/ | head -c 5 | wc -c":                             "5",
	} {
		if said := first.Run(t, line); !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", line, said, want)
		}
	}
	first.Run(t, "mkdir -p /srv/www && echo 'what the machine was for' >/srv/www/data && install -m 640 -o ada /dev/null /home/ada/notes && touch -d 2031-02-03 /home/ada/notes")
	before := first.Run(t, identity)
	first.Run(t, `tar -C /stet/state --xattrs --xattrs-include='*' --sort=name -c etc home root srv opt var > /dev/disk/by-id/virtio-disk2 || [ $? = 1 ]; sync`)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	// The disk is lost. What is left is the repository and the saved state.
	saved, lost := t.TempDir(), filepath.Join(t.TempDir(), "new.raw")
	must(t, "tar", "-C", saved, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xf", backup)
	device := loop(t, lost, 4<<30)
	p.Must(t, "install", "--elsewhere", device, "--state", saved)
	clean(t, lost)
	second := boot(t, built, lost, with(disk))
	if after := second.Run(t, identity); after != before {
		t.Errorf("the machine was\n%s\nand is\n%s", before, after)
	}
	// Had only the disk been left, the repository would have come off it. A kernel
	// without fs-verity cannot read that.
	said := second.Run(t, "stet recover /dev/disk/by-id/virtio-disk2 /root/clone >/dev/null && git -C /root/clone rev-parse HEAD")
	if want := program.Git(t, p.Dir, "rev-parse", "HEAD"); said != want {
		t.Errorf("recovered is commit %s, not %s", said, want)
	}
}
