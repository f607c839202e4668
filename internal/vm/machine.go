package vm

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/vm/agent"
)

// monitorTime is how long QEMU may take to answer on its monitor.
const monitorTime = 30 * time.Second

// machine is one boot: a QEMU process and its channels.
type machine struct {
	child   *child
	said    *tail // QEMU's own messages
	console *console
	agent   *agent.Client
	monitor *qmp
	sockets []*os.File
	reset   bool        // it ended by a reset; valid when monitor.done is closed
	greeted atomic.Bool // its agent has answered
	broken  atomic.Bool // QEMU broke its kernel, see emulator.go

	over chan struct{} // closed when QEMU is gone and what follows is decided
	next *machine      // the next boot, or
	err  error         // why there is none; both valid when over is closed
}

// launch starts QEMU and its channels, and lets the guest run. vm.mu is held.
func (vm *VM) launch(ctx context.Context) (*machine, error) {
	c := vm.config
	if !c.Clock.IsZero() {
		c.Clock = c.Clock.Add(time.Since(vm.started))
	}
	args := arguments(c, vm.accelerator, vm.directory.file, vm.forwards)
	m := &machine{said: &tail{limit: 16 << 10}, over: make(chan struct{})}
	var theirs []*os.File
	defer func() {
		for _, file := range theirs {
			file.Close()
		}
	}()
	for _, name := range []string{"serial", "agent", "monitor"} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			m.release()
			return nil, fmt.Errorf("make socket pair: %w", err)
		}
		theirs = append(theirs, os.NewFile(uintptr(pair[1]), name))
		// Non-blocking, so that Close wakes up a reader.
		if err := unix.SetNonblock(pair[0], true); err != nil {
			unix.Close(pair[0])
			m.release()
			return nil, fmt.Errorf("make socket pair: %w", err)
		}
		m.sockets = append(m.sockets, os.NewFile(uintptr(pair[0]), name))
	}
	child, err := startChild(program, args, theirs, m.said)
	if err != nil {
		m.release()
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	m.child = child
	m.console = vm.serial.connect(m.sockets[0])
	m.agent = agent.NewClient(m.sockets[1])
	m.monitor = newQMP(m.sockets[2], m.event)
	if err := vm.letRun(ctx, m); err != nil {
		return nil, err
	}
	if !vm.accelerator.KVM {
		go vm.watchEmulator(m)
	}
	return m, nil
}

// letRun starts the guest of a new QEMU, which waits for that (-S): QEMU tells
// of no event, such as a reset, before the negotiation.
func (vm *VM) letRun(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTime)
	defer cancel()
	defer context.AfterFunc(vm.ending, cancel)()
	err := m.monitor.negotiate(ctx)
	if err == nil {
		err = m.monitor.execute(ctx, "cont", nil, nil)
	}
	if err == nil {
		return nil
	}
	select {
	case <-m.child.done:
		err = m.failure()
	case <-time.After(200 * time.Millisecond): // its sockets close a little before it ends
		m.child.kill()
		<-m.child.done
	}
	m.release()
	return err
}

// event sees what QEMU reports. A QEMU that stopped has a virtual CPU that
// cannot go on; nobody stops a machine on purpose.
func (m *machine) event(name, reason string) {
	switch name {
	case "SHUTDOWN":
		m.reset = reason == "guest-reset" || reason == "host-qmp-system-reset"
	case "STOP":
		m.child.kill()
	}
}

// release closes the channels of a QEMU that is gone.
func (m *machine) release() {
	if m.agent != nil {
		m.agent.Close()
	}
	for _, socket := range m.sockets {
		socket.Close()
	}
}

// failure says why a QEMU ended that is gone.
func (m *machine) failure() error {
	said := strings.TrimSpace(strings.ReplaceAll(string(m.said.bytes()), program+": ", ""))
	if _, rule, found := strings.Cut(said, "Could not set up host forwarding rule '"); found {
		rule, _, _ = strings.Cut(rule, "'")
		return fmt.Errorf("forward %s: the port of the host is in use, or not allowed", rule)
	}
	switch {
	case said != "":
		return fmt.Errorf("%w: QEMU said: %s", ErrOff, said)
	case m.child.err != nil:
		return fmt.Errorf("%w: QEMU ended: %w", ErrOff, m.child.err)
	}
	return ErrOff
}
