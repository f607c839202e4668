package vm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Config says what to run.
type Config struct {
	// Name is the machine's name, for messages and process lists.
	Name string
	// Kernel and Initrd are paths of files, and CommandLine is the kernel's.
	// Without an initrd there is only what the driver adds.
	Kernel, Initrd, CommandLine string
	// Firmware boots from the disk instead: Initrd and Archives have no part in
	// it then, Kernel is only for [Probe], and CommandLine is added to that of
	// the disk's boot entry.
	Firmware *Firmware
	// Archives are further cpio archives (newc) that follow the initrd.
	Archives [][]byte
	// Disk is the path of a raw image; the guest finds a copy-on-write layer
	// over it as virtio-blk. Empty means no disk. The URL of an NBD server
	// ("nbd+unix:///?socket=PATH") is a disk that the guest writes itself, with
	// every flush it makes.
	Disk string
	// Base is a disk instead that this process has: the guest finds a copy-on-write
	// layer over it. The VM closes it in the end, or when it cannot start.
	Base Base
	// layers are those over the base: one, and the one that is kept.
	layers int
	// DiskSerial is the disk's serial number; empty means "stet-store", by which a
	// machine takes the whole disk for its store.
	DiskSerial string
	// MoreDisks are paths of raw images that the guest finds as further disks
	// with the serial "disk2", "disk3", …: it writes to these files themselves.
	MoreDisks []string
	// Bus is how the guest reaches Disk. Only on VirtioBlock there is a
	// DiskSerial: on another one the guest has to find the store by itself.
	Bus Bus
	// Memory is in MiB, 0 means 1024.
	Memory int
	// CPUs is how many virtual CPUs the guest has, 0 means 1: a second one costs an
	// emulator a tenth more for the same work.
	CPUs int
	// Forwards are TCP ports of the guest that the host can reach.
	Forwards []Forward
	// Interactive logs root in on the serial console (and on the display).
	Interactive bool
	// Terminal is the value of TERM on an interactive console.
	Terminal string
	// Display opens a window. Screenshots need none.
	Display bool
	// RunDirectory is where the VM makes a directory of its own; it should
	// have room for what the guest writes. Empty means the system's temporary
	// directory.
	RunDirectory string
	// Clock is the time at which the guest's clock starts; zero means now. It
	// goes on over reboots, and while the machine is off.
	Clock time.Time
	// Serial gets the console's output as it comes, beside [VM.SerialLog].
	Serial io.Writer
	// Accelerator is what [Probe] found; nil means that Start probes. Whoever
	// starts several machines probes once.
	Accelerator *Accelerator
	// Agent is the guest agent's binary; nil means the embedded one.
	Agent []byte
}

// Base is a disk that a process has, and not a file. Several goroutines read it at once,
// and always the same bytes.
type Base interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
	// Digest names what a guest that has read a part of it depends on.
	Digest() string
}

// hasDisk reports whether the guest finds a disk.
func (c Config) hasDisk() bool { return c.Disk != "" || c.Base != nil }

// Forward makes a TCP port of the guest reachable at 127.0.0.1.
type Forward struct {
	// HostPort is the port on the host; 0 takes any that is free, and
	// [VM.ForwardedPort] tells which.
	HostPort int
	// GuestPort is the port in the guest.
	GuestPort int
}

// ParseForward reads "HOST:GUEST", or "GUEST" for any free port of the host.
func ParseForward(text string) (Forward, error) {
	host, guest, both := strings.Cut(text, ":")
	if !both {
		host, guest = "0", text
	}
	var f Forward
	for _, part := range []struct {
		text string
		port *int
		min  int
	}{{host, &f.HostPort, 0}, {guest, &f.GuestPort, 1}} {
		n, digits := 0, part.text != "" && len(part.text) <= 5
		for _, c := range part.text {
			digits = digits && '0' <= c && c <= '9'
			n = n*10 + int(c-'0')
		}
		if !digits || n < part.min || n > 65535 {
			return Forward{}, fmt.Errorf("forward %q: want HOST:GUEST, two port numbers such as 8080:80", text)
		}
		*part.port = n
	}
	return f, nil
}

// withDefaults checks the configuration before anything is made.
func (c Config) withDefaults() (Config, error) {
	if c.Memory == 0 {
		c.Memory = 1024
	}
	if c.CPUs == 0 {
		c.CPUs = 1
	}
	if c.Name == "" {
		c.Name = "machine"
	}
	if c.RunDirectory == "" {
		c.RunDirectory = os.TempDir()
	}
	if c.Memory < 0 || c.CPUs < 0 {
		return c, fmt.Errorf("%d MiB of memory and %d CPUs: neither can be negative", c.Memory, c.CPUs)
	}
	if c.DiskSerial == "" {
		c.DiskSerial = "stet-store"
	}
	if c.layers == 0 {
		c.layers = 1
	}
	paths := append([]string{c.Kernel, c.Initrd, c.Disk}, c.MoreDisks...)
	switch {
	case c.Firmware != nil:
		paths = append(paths, c.Firmware.Code, c.Firmware.Vars)
		if !c.hasDisk() {
			return c, errors.New("no disk given, which the firmware would boot from")
		}
	case c.Kernel == "":
		return c, errors.New("no kernel given")
	}
	if c.Bus.devices(c.DiskSerial, "") == nil {
		return c, fmt.Errorf("%q is no bus that a disk can be on", c.Bus)
	}
	for _, path := range paths {
		if path == "" || isURL(path) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return c, err
		}
	}
	seen := map[int]bool{}
	for _, f := range c.Forwards {
		if f.GuestPort < 1 || f.GuestPort > 65535 || f.HostPort < 0 || f.HostPort > 65535 {
			return c, fmt.Errorf("forward %d:%d: a port is between 1 and 65535", f.HostPort, f.GuestPort)
		}
		if seen[f.GuestPort] {
			return c, fmt.Errorf("forward %d:%d: port %d of the guest is forwarded twice", f.HostPort, f.GuestPort, f.GuestPort)
		}
		seen[f.GuestPort] = true
	}
	if c.Agent == nil {
		agent, err := embeddedAgent()
		if err != nil {
			return c, err
		}
		c.Agent = agent
	}
	return c, nil
}

// isURL tells the URL of an NBD server from a path.
func isURL(disk string) bool { return strings.HasPrefix(disk, "nbd+unix:") }
