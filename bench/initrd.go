package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"stet/internal/state"
	"stet/internal/vm"
)

// guest is the hardware that both boot on: what `stet vm` gives a machine.
const (
	guestMemory = 1024 // MiB
	guestCPUs   = 2
	bootTime    = 5 * time.Minute // more than any emulated boot takes
)

// initrd boots both in turns and asks each how long its initrd took.
func (b *bench) initrd(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	peer, err := b.peerDisk(ctx)
	if err != nil {
		return nil, err
	}
	accelerator, err := vm.Probe(ctx, peer.Kernel, nil)
	if err != nil {
		return nil, err
	}
	peer.Accelerator = &accelerator
	var ours, theirs, own []float64
	for i := range b.runs {
		say("initrd, boot %d of %d: stet", i+1, b.runs)
		took, said, err := b.bootStet(ctx, l)
		if err != nil {
			return nil, err
		}
		ours, own = append(ours, took), append(own, said)

		say("initrd, boot %d of %d: Debian", i+1, b.runs)
		if took, err = bootPeer(ctx, peer); err != nil {
			return nil, err
		}
		theirs = append(theirs, took)
	}
	how := "emulated"
	if accelerator.KVM {
		how = "KVM"
	}
	a := measured("initrd of stet, "+how, "s", ours, 0)
	d := measured("initrd of Debian, "+how, "s", theirs, 0)
	return []result{
		a, measured("initrd of stet, by its own account", "s", own, 0), d,
		ratio("initrd: stet / Debian", a, d, 0.2),
	}, nil
}

// bootStet boots the built system, and gives its time in the initrd as kernel
// and systemd have it, and as stet-init has it.
func (b *bench) bootStet(ctx context.Context, l *lab) (kernel, own float64, err error) {
	_, out, err := b.runStet(ctx, l.repository, l.store, "vm", "--json",
		"--memory", strconv.Itoa(guestMemory), "--cpus", strconv.Itoa(guestCPUs),
		"--exec", "cat "+state.BootFile+"; "+times)
	if err != nil {
		return 0, 0, err
	}
	var answer struct{ Stdout string }
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return 0, 0, err
	}
	record, rest, _ := strings.Cut(answer.Stdout, "\n}\n")
	boot, err := state.ParseBoot([]byte(record + "\n}\n"))
	if err != nil {
		return 0, 0, err
	}
	kernel, err = initrdTime(rest)
	return kernel, float64(boot.InitrdUsec) / 1e6, err
}

// bootPeer boots Debian's own system.
func bootPeer(ctx context.Context, config vm.Config) (took float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	machine, err := vm.Start(ctx, config)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.WaitReady(ctx); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, tail(string(machine.SerialLog())))
	}
	answer, err := machine.Exec(ctx, vm.Shell(times))
	if err != nil {
		return 0, err
	}
	return initrdTime(string(answer.Stdout))
}

// times is what a guest is asked for initrdTime.
const times = "dmesg; systemctl show --property=UserspaceTimestampMonotonic"

// What the kernel logs when it starts the initrd's program, and when systemd
// began as PID 1 of the real root, in microseconds. Both count from the boot.
var (
	initrdBegins = regexp.MustCompile(`(?m)^\[ *(\d+\.\d+)\] Run /init as init process`)
	initrdEnds   = regexp.MustCompile(`(?m)^UserspaceTimestampMonotonic=(\d+)$`)
)

// initrdTime gives the seconds between the two in what a guest answered.
func initrdTime(answer string) (float64, error) {
	begin, end := initrdBegins.FindStringSubmatch(answer), initrdEnds.FindStringSubmatch(answer)
	if begin == nil || end == nil {
		return 0, fmt.Errorf("the guest does not say when the initrd began and ended:\n%s", tail(answer))
	}
	from, err := strconv.ParseFloat(begin[1], 64)
	if err != nil {
		return 0, err
	}
	to, err := strconv.ParseFloat(end[1], 64)
	return to/1e6 - from, err
}

// channelScript is a script of initramfs-tools(7) that does for the driver's
// control channel what stet-init does: what came with the initrd below
// /stet.run goes to /run. The initrd has klibc's programs: no cp, no chmod.
const channelScript = `#!/bin/sh
[ "$1" = prereqs ] && exit 0
cd /stet.run
mkdir -p /run/stet-vm /run/systemd/system/sysinit.target.wants
cat stet-vm/stet-agent > /run/stet-vm/stet-agent
cat systemd/system/stet-agent.service > /run/systemd/system/stet-agent.service
ln -s ../stet-agent.service /run/systemd/system/sysinit.target.wants/stet-agent.service
`

// channelDropIn makes the agent executable, long after the initrd.
const channelDropIn = `[Service]
ExecStartPre=/usr/bin/mount -o remount,exec /run
ExecStartPre=/usr/bin/chmod 755 /run/stet-vm/stet-agent
`

// peerDisk makes the peer: the same packages and initramfs-tools, unpacked by
// mmdebstrap onto a plain ext4, with the initrd that Debian's kernel makes.
func (b *bench) peerDisk(ctx context.Context) (vm.Config, error) {
	with := strings.Replace(configuration, "packages: [", "packages: [initramfs-tools, ", 1)
	l, err := b.locked(ctx, "with-initramfs", with)
	if err != nil {
		return vm.Config{}, err
	}
	archive, err := b.archive("archive-initramfs", l)
	if err != nil {
		return vm.Config{}, err
	}
	say("make Debian's disk and initrd")
	script := filepath.Join(b.dir, "stet-channel")
	if err := os.WriteFile(script, []byte(channelScript), 0o755); err != nil {
		return vm.Config{}, err
	}
	const scripts = "/etc/initramfs-tools/scripts/init-bottom"
	target, image := filepath.Join(b.dir, "target-initramfs"), filepath.Join(b.dir, "debian.ext4")
	if err := removeAll(target); err != nil {
		return vm.Config{}, err
	}
	if _, err := archive.mmdebstrap(ctx, target,
		"--customize-hook=copy-in "+script+" "+scripts,
		`--customize-hook=chroot "$1" update-initramfs -u`); err != nil {
		return vm.Config{}, err
	}
	dropIns := filepath.Join(target, "etc/systemd/system/stet-agent.service.d")
	if err := os.MkdirAll(dropIns, 0o755); err != nil {
		return vm.Config{}, err
	}
	if err := os.WriteFile(filepath.Join(dropIns, "bench.conf"), []byte(channelDropIn), 0o644); err != nil {
		return vm.Config{}, err
	}
	if err := os.Remove(image); err != nil && !errors.Is(err, os.ErrNotExist) {
		return vm.Config{}, err
	}
	if _, _, err := measure(exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", target, image, "8G")); err != nil {
		return vm.Config{}, err
	}
	kernel, err := only(target, "boot/vmlinuz-*")
	if err != nil {
		return vm.Config{}, err
	}
	initrd, err := only(target, "boot/initrd.img-*")
	return vm.Config{
		Name: "debian", Kernel: kernel, Initrd: initrd, Disk: image, RunDirectory: b.dir,
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
