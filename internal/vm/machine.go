package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/nbd"
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
	// memoryFD is the descriptor by which QEMU reads the memory that it begins with.
	memoryFD int
	reset    bool        // it ended by a reset; valid when monitor.done is closed
	greeted  atomic.Bool // its agent has answered
	broken   atomic.Bool // QEMU broke its kernel, see emulator.go
	halted   atomic.Bool // it was told to stand still

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
	begin := vm.begin
	vm.begin = nil // a reboot is one
	m := &machine{said: &tail{limit: 16 << 10}, over: make(chan struct{})}
	var theirs []*os.File
	defer func() {
		for _, file := range theirs {
			file.Close()
		}
	}()
	names := []string{"serial", "agent", "monitor"} // by serialFD and those after it
	if c.Base != nil {
		names = append(names, "base")
	}
	for _, name := range names {
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
	if begin != nil {
		memory, err := os.Open(begin.place.file(keptMemory))
		if err != nil {
			m.release()
			return nil, stateError{err}
		}
		theirs, args = append(theirs, memory), append(args, "-incoming", "defer")
		m.memoryFD = serialFD + len(theirs) - 1
	}
	if c.Base != nil {
		go serve(m.sockets[len(m.sockets)-1], c.Base)
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
	if err := vm.letRun(ctx, m, begin); err != nil {
		return nil, err
	}
	if !vm.accelerator.KVM {
		go vm.watchEmulator(m)
	}
	return m, nil
}

// serve gives a disk to a QEMU, which ends it. What was wrong with a block is told to
// the guest as an error of its disk.
func serve(connection io.ReadWriteCloser, base Base) { _ = nbd.Serve(connection, base) }

// letRun starts the guest of a new QEMU, which waits for that (-S): QEMU tells
// of no event, such as a reset, before the negotiation. A guest that begins in a
// kept state goes on from there.
func (vm *VM) letRun(ctx context.Context, m *machine, begin *state) error {
	limit := monitorTime
	if begin != nil {
		limit += memoryTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(vm.ending, cancel)()
	err := m.monitor.negotiate(ctx)
	if err == nil && begin != nil {
		err = m.take(ctx, begin)
	}
	if err == nil {
		err = m.monitor.execute(ctx, "cont", nil, nil)
	}
	if err == nil && begin != nil {
		err = m.wake(ctx)
	}
	if err == nil {
		return nil
	}
	select {
	case <-m.child.done:
		if errors.Is(err, errMonitorClosed) || errors.Is(err, agent.ErrClosed) {
			err = m.failure()
		}
	case <-time.After(200 * time.Millisecond): // its sockets close a little before it ends
		m.child.kill()
		<-m.child.done
	}
	m.release()
	if begin != nil {
		err = stateError{err}
	}
	return err
}

// take reads a kept state, and compares it with its record meanwhile.
func (m *machine) take(ctx context.Context, begin *state) error {
	damage := make(chan error, 1)
	go func() { damage <- begin.check(ctx) }()
	err := m.readMemory(ctx)
	if damaged := <-damage; damaged != nil {
		return damaged // which is why QEMU could not read it, if it could not
	}
	return err
}

// wake makes the channel to the agent of a guest that goes on, and has it told
// what it missed.
func (m *machine) wake(ctx context.Context) error {
	if err := m.agent.Greet(ctx); err != nil {
		return err
	}
	m.greeted.Store(true)
	return m.agent.Wake(ctx)
}

// event sees what QEMU reports. A QEMU that stopped has a virtual CPU that
// cannot go on, unless it was told to.
func (m *machine) event(name, reason string) {
	switch name {
	case "SHUTDOWN":
		m.reset = reason == "guest-reset" || reason == "host-qmp-system-reset"
	case "STOP":
		if !m.halted.Load() {
			m.child.kill()
		}
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
