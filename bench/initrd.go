package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"stet/internal/build"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/vm"
	"stet/test/spill"
)

// guest is the hardware that both boot on: what `stet vm` gives a machine.
const (
	guestMemory = 1024 // MiB
	guestCPUs   = 2
)

// The promised parts of Debian's time: in the initrd, and from the kernel to the prompt
// of a machine that starts the same units.
const (
	initrdFraction = 1.0 / 5
	loginFraction  = 0.9
)

// initrd boots both in turns, each several times, and asks their kernels how long the
// initrd took, and their consoles when somebody could log in.
func (b *bench) initrd(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	// It is built, and shown to boot.
	if _, _, err := b.runStet(ctx, l.repository, l.store, "vm", "--exec", "true"); err != nil {
		return nil, err
	}
	ours, err := b.stetGuest(ctx, l)
	if err != nil {
		return nil, err
	}
	same, own, err := b.peerDisks(ctx)
	if err != nil {
		return nil, err
	}
	accelerator, err := vm.Probe(ctx, same.Kernel, nil)
	if err != nil {
		return nil, err
	}
	var stet, debian, itself boots
	for i := range b.runs {
		for _, guest := range []struct {
			what   string
			config vm.Config
			boots  *boots
		}{
			{"stet", ours, &stet}, {"Debian, the same units", same, &debian}, {"Debian, its own units", own, &itself},
		} {
			say("initrd, machine %d of %d: %s", i+1, b.runs, guest.what)
			guest.config.Accelerator = &accelerator
			if err := guest.boots.add(ctx, guest.config); err != nil {
				return nil, err
			}
		}
	}
	how := "emulated"
	if accelerator.KVM {
		how = "KVM"
	}
	a := measured("initrd of stet, "+how, "s", stet.initrd, 0)
	d := measured("initrd of Debian, "+how, "s", debian.initrd, 0)
	first, debianFirst := measured("initrd of stet, a machine's first boot", "s", stet.first, 0), measured("initrd of Debian, first boot", "s", debian.first, 0)
	late, debianLate := measured("stet, until systemd counts", "s", stet.systemd, 0), measured("Debian, until systemd counts", "s", debian.systemd, 0)
	login, debianLogin := measured("login of stet, kernel to prompt", "s", stet.login, 0), measured("login of Debian, the same units", "s", debian.login, 0)
	ownLogin := measured("login of Debian, its own units", "s", itself.login, 0)
	return []result{
		a, d, ratio("initrd: stet / Debian", a, d, initrdFraction),
		first, debianFirst, ratio("initrd, first boot: stet / Debian", first, debianFirst, 0),
		late, debianLate, ratio("until systemd counts: stet / Debian", late, debianLate, 0),
		login, debianLogin, ratio("login: stet / Debian", login, debianLogin, loginFraction),
		ownLogin, ratio("login: stet / Debian with its own units", login, ownLogin, 0),
	}, nil
}

// stetGuest says how QEMU boots the built system: as `stet vm` does, but from a file, as
// the peer.
func (b *bench) stetGuest(ctx context.Context, l *lab) (vm.Config, error) {
	built, err := b.built(ctx, l)
	if err != nil {
		return vm.Config{}, err
	}
	s, err := store.Open(l.store)
	if err != nil {
		return vm.Config{}, err
	}
	defer s.Close() // nobody collects here
	text, err := s.System(built.Digest)
	if err != nil {
		return vm.Config{}, err
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		return vm.Config{}, err
	}
	builder := build.Builder{Store: s}
	config, err := builder.Guest(ctx, &build.System{Digest: built.Digest, Manifest: manifest}, l.lock, build.First{Stet: b.stet})
	config.Name, config.RunDirectory, config.Memory, config.CPUs = "stet", b.dir, guestMemory, guestCPUs
	if err != nil {
		return config, err
	}
	base := config.Base
	config.Base, config.Disk = nil, filepath.Join(b.dir, "stet.raw")
	return config, spill.To(config.Disk, base)
}

// built is what a build tells of its system.
type built struct{ Digest, Kernel, Initrd string }

func (b *bench) built(ctx context.Context, l *lab) (built, error) {
	_, out, err := b.runStet(ctx, l.repository, l.store, "--json", "build")
	if err != nil {
		return built{}, err
	}
	var told built
	return told, json.Unmarshal([]byte(out), &told)
}

// channelScript is a script of initramfs-tools(7) that does for the driver's
// control channel what stet-init does: what came with the initrd below
// /stet.run goes to /run. The initrd has klibc's programs: no cp, no chmod. It is
// the last script of all, and says so a little before the initrd's end: some
// mounts are still to be moved, and files to be removed.
const channelScript = `#!/bin/sh
[ "$1" = prereqs ] && echo udev && exit 0
cd /stet.run
mkdir -p /run/stet-vm /run/systemd/system/sysinit.target.wants
cat stet-vm/stet-agent > /run/stet-vm/stet-agent
cat systemd/system/stet-agent.service > /run/systemd/system/stet-agent.service
ln -s ../stet-agent.service /run/systemd/system/sysinit.target.wants/stet-agent.service
echo 'bench: the initrd ends' > /dev/kmsg
`

// wired gives Debian the network that Stet's machine has. $1 is the root.
const wired = `set -e
printf '[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=yes\n' >"$1/etc/systemd/network/80-wired.network"
systemctl --root="$1" --quiet enable systemd-networkd.service
`

// sameUnits has Debian start what Stet's machine starts: none of the timers that have
// nothing to do where packages do not change, and gettys that do not wait for what else
// is being started. What Stet has of its own is in its time. $1 is the root.
const sameUnits = `set -e
systemctl --root="$1" --quiet disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
for getty in getty serial-getty; do
  mkdir "$1/etc/systemd/system/$getty@.service.d"
  printf '[Service]\nType=simple\n' >"$1/etc/systemd/system/$getty@.service.d/10-stet.conf"
done
`

// channelDropIn makes the agent executable, long after the initrd.
const channelDropIn = `[Service]
ExecStartPre=/usr/bin/mount -o remount,exec /run
ExecStartPre=/usr/bin/chmod 755 /run/stet-vm/stet-agent
`

// peerDisks makes the peer: the same packages and initramfs-tools, unpacked by
// mmdebstrap onto a plain ext4, with the initrd that Debian's kernel makes; one that
// starts the same units as Stet's machine, and one that starts its own.
func (b *bench) peerDisks(ctx context.Context) (same, own vm.Config, err error) {
	l, err := b.withInitramfs(ctx)
	if err != nil {
		return same, own, err
	}
	archive, err := b.archive("archive-initramfs", l)
	if err != nil {
		return same, own, err
	}
	say("make Debian's disks and initrd")
	script := filepath.Join(b.dir, "stet-channel")
	if err := os.WriteFile(script, []byte(channelScript), 0o755); err != nil {
		return same, own, err
	}
	const scripts = "/etc/initramfs-tools/scripts/init-bottom"
	target := filepath.Join(b.dir, "target-initramfs")
	if err := removeAll(target); err != nil {
		return same, own, err
	}
	if _, err := archive.mmdebstrap(ctx, target,
		"--customize-hook=copy-in "+script+" "+scripts,
		"--customize-hook="+wired,
		`--customize-hook=chroot "$1" update-initramfs -u`); err != nil {
		return same, own, err
	}
	dropIns := filepath.Join(target, "etc/systemd/system/stet-agent.service.d")
	if err := os.MkdirAll(dropIns, 0o755); err != nil {
		return same, own, err
	}
	if err := os.WriteFile(filepath.Join(dropIns, "bench.conf"), []byte(channelDropIn), 0o644); err != nil {
		return same, own, err
	}
	if own, err = b.peerDisk(ctx, "debian-own", target); err != nil {
		return same, own, err
	}
	if _, _, err := measure(exec.CommandContext(ctx, "sh", "-c", sameUnits, "sh", target)); err != nil {
		return same, own, err
	}
	same, err = b.peerDisk(ctx, "debian", target)
	return same, own, err
}

// peerDisk makes a disk of a root, and says how QEMU boots it.
func (b *bench) peerDisk(ctx context.Context, name, root string) (vm.Config, error) {
	image := filepath.Join(b.dir, name+".ext4")
	if err := os.Remove(image); err != nil && !errors.Is(err, os.ErrNotExist) {
		return vm.Config{}, err
	}
	if _, _, err := measure(exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, image, "8G")); err != nil {
		return vm.Config{}, err
	}
	kernel, err := only(root, "boot/vmlinuz-*")
	if err != nil {
		return vm.Config{}, err
	}
	initrd, err := only(root, "boot/initrd.img-*")
	return vm.Config{
		Name: name, Kernel: kernel, Initrd: initrd, Disk: image, RunDirectory: b.dir,
		CommandLine: "root=/dev/vda rw console=ttyS0 quiet", Memory: guestMemory, CPUs: guestCPUs,
	}, err
}

// only finds the one file of a pattern.
func only(dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s has %d of %s", dir, len(found), pattern)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
