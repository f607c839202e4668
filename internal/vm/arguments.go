package vm

import (
	"fmt"
	"strconv"
	"strings"
)

// The file descriptors that QEMU inherits: one end each of a socket pair. So
// there are no socket files that others could connect to, no limit to the
// length of the run directory's path, and nothing to wait for.
const (
	serialFD = 3
	agentFD  = 4
	qmpFD    = 5
	baseFD   = 6 // of a machine that has one
)

// arguments gives QEMU's command line. file names those that the driver made,
// forwards has the host's ports, c.Clock is that of this boot.
func arguments(c Config, a Accelerator, file func(name string) string, forwards []Forward) []string {
	args := []string{
		"-name", "stet-" + quote(c.Name),
		"-nodefaults", "-no-user-config",
		"-action", "reboot=shutdown", // see power.go
		"-S", // until the driver listens to the monitor
	}
	args = append(args, a.arguments()...)
	args = append(args,
		"-smp", strconv.Itoa(c.CPUs),
		"-m", strconv.Itoa(c.Memory),
		"-vga", "std",
		"-display", display(c.Display),
		"-chardev", fmt.Sprintf("socket,id=serial,fd=%d", serialFD),
		"-serial", "chardev:serial",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d", agentFD),
		"-device", "virtio-serial-pci",
		"-device", "virtserialport,chardev=agent,name="+portName,
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpFD),
		"-mon", "chardev=qmp,mode=control",
		"-object", "rng-random,id=rng,filename=/dev/urandom",
		"-device", "virtio-rng-pci,rng=rng",
	)
	if c.Firmware != nil {
		args = append(args, firmwareArguments(c, a, file("vars"), file("agent"))...)
	} else {
		args = append(args, "-kernel", c.Kernel, "-initrd", file("initrd"), "-append", commandLine(c, a))
	}
	network := "user,id=net,restrict=on"
	for _, f := range forwards {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", f.HostPort, f.GuestPort)
	}
	// romfile= : nobody boots from the network, and the ROM costs time.
	args = append(args, "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=")
	if c.hasDisk() {
		args = append(args,
			"-drive", "if=none,id=store,"+drive(c, file(overlay)))
		for _, device := range c.Bus.devices(quote(c.DiskSerial), bootIndex(c)) {
			args = append(args, "-device", device)
		}
	}
	for i, path := range c.MoreDisks {
		id := fmt.Sprintf("disk%d", i+2)
		args = append(args,
			"-drive", "if=none,id="+id+",format=raw,cache=unsafe,discard=unmap,file="+quote(path),
			"-device", "virtio-blk-pci,drive="+id+",serial="+id)
	}
	clock := "base=utc"
	if !c.Clock.IsZero() {
		clock = "base=" + c.Clock.UTC().Format("2006-01-02T15:04:05")
	}
	return append(args, "-rtc", clock)
}

// drive says how QEMU opens a disk. Of the driver's own overlay a flush of the
// guest reaches the host's memory, so it survives a killed QEMU; that it survives
// the host's own power failure is worth nothing here, and costs seconds on a busy
// disk (cache=unsafe). A server is told of every flush.
func drive(c Config, overlay string) string {
	if isURL(c.Disk) {
		return "format=raw,cache=writeback,file=" + quote(c.Disk)
	}
	layer := "format=qcow2,cache=unsafe,discard=unmap,file=" + quote(overlay)
	if c.Base != nil {
		below := strings.Repeat("backing.", c.layers)
		layer += fmt.Sprintf(",%sdriver=raw,%sfile.driver=nbd,%sfile.server.type=fd,%sfile.server.str=%d", below, below, below, below, baseFD)
	}
	return layer
}

// commandLine adds to the kernel's what emulation needs: on a busy host the
// emulated timer comes so late that the kernel believes that there is none, and
// panics ("IO-APIC + timer doesn't work!"). And what a machine starts, or finds, within
// systemd's 90 seconds may take many times that. Against what a processor gives away
// by speculating, an emulated one needs no defence, which takes a tenth of a boot. And
// QEMU 7.2 keeps translated code by virtual address: a library that every process has
// somewhere else is translated for each, which takes a seventh. It says which words
// those are: a machine that looks for what nobody declared is not to find them.
func commandLine(c Config, a Accelerator) string {
	if a.KVM {
		return c.CommandLine
	}
	added := []string{"no_timer_check", "mitigations=off", "norandmaps", "systemd.default_timeout_start_sec=15min", "systemd.default_device_timeout_sec=15min"}
	return strings.TrimSpace(c.CommandLine + " " + strings.Join(added, " ") + " stet.vm=" + strings.Join(added, ","))
}

// bootIndex makes the firmware begin with the disk. A kernel that QEMU brings has
// that place already.
func bootIndex(c Config) string {
	if c.Firmware == nil {
		return ""
	}
	return ",bootindex=0"
}

// portName is the name by which stet-agent finds its port.
const portName = "stet.agent"

func display(window bool) string {
	if window {
		return "gtk"
	}
	return "none"
}

// quote writes a value so that QEMU's option parser gives it back.
func quote(value string) string { return strings.ReplaceAll(value, ",", ",,") }
