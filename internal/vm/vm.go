package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// VM is one machine in QEMU. Its methods may be called at the same time, and
// while the guest reboots: they wait for the next boot where they need it.
type VM struct {
	config      Config
	accelerator Accelerator
	directory   *runDirectory
	serial      *serial
	forwards    []Forward // with the host's ports
	ports       *reservation
	started     time.Time
	ending      context.Context // ends with Start's context and with Close
	end         context.CancelFunc
	closing     sync.Once
	hold        io.Closer // of a place; nil without one
	begin       *state    // where the first boot begins; nil at the beginning

	mu      sync.Mutex
	current *machine      // nil before the first boot
	off     chan struct{} // closed while the machine is off
	cut     bool          // the power is cut: no machine follows the current one
	closed  bool
	broken  int // machines that the emulator broke
}

// Start makes a VM and lets it boot; it does not wait for that, see
// [VM.WaitReady]. The VM ends with ctx. The caller closes it in any case, so
// that its run directory is gone before the program is.
func Start(ctx context.Context, c Config) (*VM, error) { return startFrom(ctx, c, nil, nil) }

// startFrom is Start from a kept state. The VM closes hold at its end, if it starts.
func startFrom(ctx context.Context, c Config, begin *state, hold io.Closer) (*VM, error) {
	vm, err := assemble(ctx, c, begin, hold)
	if err != nil {
		if c.Base != nil {
			err = errors.Join(err, c.Base.Close())
		}
		return nil, err
	}
	if err := vm.Boot(ctx); err != nil {
		vm.Close()
		return nil, err
	}
	return vm, nil
}

// assemble makes a VM that is off.
func assemble(ctx context.Context, c Config, begin *state, hold io.Closer) (*VM, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if _, err := exec.LookPath(program); err != nil {
		return nil, &MissingError{program}
	}
	vm := &VM{config: c, serial: newSerial(c.Serial), off: make(chan struct{}), begin: begin, hold: hold}
	close(vm.off)
	if c.Accelerator != nil {
		vm.accelerator = *c.Accelerator
	} else if vm.accelerator, err = Probe(ctx, c.Kernel, c.Agent); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if vm.directory, err = makeRunDirectory(c.RunDirectory); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if err := vm.prepare(); err != nil {
		vm.ports.release()
		vm.directory.remove()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	vm.started = time.Now()
	vm.ending, vm.end = context.WithCancel(ctx)
	context.AfterFunc(vm.ending, func() { vm.Close() })
	return vm, nil
}

func (vm *VM) prepare() (err error) {
	if vm.ports, vm.forwards, err = reserve(vm.config.Forwards); err != nil {
		return err
	}
	if vm.config.Firmware != nil {
		err = vm.prepareFirmware()
	} else {
		err = vm.prepareInitrd()
	}
	if err != nil {
		return err
	}
	switch {
	case vm.begin != nil:
		return vm.prepareKept()
	case vm.config.Base != nil:
		return writeLayer(vm.directory.file(overlay), vm.config.Base.Size())
	case vm.config.Disk == "" || isURL(vm.config.Disk):
		return nil
	}
	return writeOverlay(vm.directory.file(overlay), vm.config.Disk, raw)
}

// prepareKept is the disk and the console of a VM that begins in a kept state.
func (vm *VM) prepareKept() error {
	said, err := os.ReadFile(vm.begin.place.file(keptConsole))
	if err != nil {
		return stateError{err}
	}
	_, _ = vm.serial.log.Write(said)
	if err := writeOverlay(vm.directory.file(overlay), vm.begin.place.file(keptLayer), qcow2); err != nil {
		return stateError{err}
	}
	return nil
}

// overlay is the file in the run directory that has what the guest writes.
const overlay = "overlay.qcow2"

func (vm *VM) prepareInitrd() error {
	channel, err := runArchive(vm.config)
	if err != nil {
		return err
	}
	archives := append(append([][]byte(nil), vm.config.Archives...), channel)
	return writeInitrd(vm.directory.file("initrd"), vm.config.Initrd, archives)
}

// Accelerator tells how the guest's instructions are run.
func (vm *VM) Accelerator() Accelerator { return vm.accelerator }

// ForwardedPort gives the port on 127.0.0.1 that leads to a port of the guest.
func (vm *VM) ForwardedPort(guest int) (host int, ok bool) {
	for _, f := range vm.forwards {
		if f.GuestPort == guest {
			return f.HostPort, true
		}
	}
	return 0, false
}

// ForwardedAddress is ForwardedPort as "127.0.0.1:PORT", empty when there is none.
func (vm *VM) ForwardedAddress(guest int) string {
	host, ok := vm.ForwardedPort(guest)
	if !ok {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(host))
}

// SerialLog gives what the console has said, over all boots, up to 1 MiB.
func (vm *VM) SerialLog() []byte { return vm.serial.log.bytes() }

// Close kills the machine and removes its run directory. Only the first call
// does anything; others wait for it.
func (vm *VM) Close() (err error) {
	vm.closing.Do(func() {
		vm.end() // also the start of a QEMU that is under way
		vm.mu.Lock()
		vm.closed = true
		off := vm.cutPower()
		vm.mu.Unlock()
		<-off
		vm.ports.release()
		if vm.config.Base != nil {
			err = vm.config.Base.Close()
		}
		if vm.hold != nil {
			vm.hold.Close()
		}
		err = errors.Join(err, vm.directory.remove())
	})
	return err
}
