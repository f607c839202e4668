package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stet/internal/vm/agent"
)

// A VM is off or on, and while it is on it goes through boots. Each boot has a
// QEMU process of its own, a machine:
//
//	       Boot            the guest resets
//	off ─────────▶ machine ─────────▶ machine ─────────▶ …
//	 ▲                │                  │
//	 └────────────────┴──────────────────┘
//	   QEMU ends in any other way: poweroff, Crash, Close, a mistake of QEMU
//
// A reset ends QEMU (-action reboot=shutdown) instead of starting the guest
// anew inside it: an emulated guest takes several times as long to boot in a
// QEMU that has run one before. A machine that ends says on its monitor
// whether it was by a reset, so it does not matter who asked for that: Reboot,
// Reset, a person at the console, or a kernel that panicked with panic=N. One
// that the emulator broke while it booted is started anew too (emulator.go).
//
// What a VM keeps over its boots is the disk, the host's ports, the serial log
// and who is attached to the console, and the clock. What a boot has of its
// own is memory, devices, the monitor and the agent's channel.
//
// Boot makes the first machine; from then on one goroutine, keep, alone makes
// the next, when the one before is gone. So no two QEMUs share a disk, and
// what becomes of a machine is decided in one place, succeed, under VM.mu.

// ErrOff means that the machine does not run: it was shut down or crashed.
var ErrOff = errors.New("the machine is off")

// Boot switches a machine on that was shut down or crashed. Its disk has what
// had reached it.
func (vm *VM) Boot(ctx context.Context) error {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if vm.closed {
		return fmt.Errorf("boot %s: %w", vm.config.Name, ErrOff)
	}
	select {
	case <-vm.off:
	default:
		return fmt.Errorf("boot %s: it runs already", vm.config.Name)
	}
	m, err := vm.launch(ctx)
	if err != nil {
		return fmt.Errorf("boot %s: %w", vm.config.Name, err)
	}
	vm.current, vm.cut, vm.off = m, false, make(chan struct{})
	go vm.keep(m)
	return nil
}

// keep waits for the end of each machine, until none follows.
func (vm *VM) keep(m *machine) {
	for m != nil {
		<-m.child.done
		<-m.monitor.done // its last words have been read
		select {
		case <-m.console.ended: // and are in the serial log
		case <-vm.ending.Done(): // whoever takes them may be blocked
		}
		m.release()
		m = vm.succeed(m)
	}
}

// succeed decides what follows a machine that has ended.
func (vm *VM) succeed(m *machine) (next *machine) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	defer close(m.over)
	if !vm.cut && !vm.closed && (m.reset || m.broken.Load() || vm.failedItself(m)) {
		var err error
		if next, err = vm.launch(vm.ending); err == nil {
			m.next, vm.current = next, next
			return next
		}
		m.err = fmt.Errorf("%w: start it anew after a reset: %w", ErrOff, err)
	} else {
		m.err = m.failure()
	}
	close(vm.off)
	return nil
}

// Done is closed when the machine goes off. A reboot does not close it.
func (vm *VM) Done() <-chan struct{} {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	return vm.off
}

// Crash ends the machine as a power failure does: what had not reached the
// disk is lost. [VM.Boot] switches it on again.
func (vm *VM) Crash() error {
	vm.mu.Lock()
	if vm.closed {
		vm.mu.Unlock()
		return ErrOff
	}
	off := vm.cutPower()
	vm.mu.Unlock()
	<-off
	return nil
}

// cutPower kills QEMU, also one that is about to be followed by another. vm.mu
// is held; the caller waits for the channel without it.
func (vm *VM) cutPower() (off <-chan struct{}) {
	vm.cut = true
	if vm.current != nil {
		vm.current.child.kill()
	}
	return vm.off
}

// running gives the machine of the present boot, or of the last one.
func (vm *VM) running() (*machine, error) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if vm.closed || vm.current == nil {
		return nil, ErrOff
	}
	return vm.current, nil
}

// successor waits until a machine is gone and gives the one of the next boot.
// The error says why there is none.
func (m *machine) successor(ctx context.Context) (*machine, error) {
	select {
	case <-m.over:
		return m.next, m.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hello waits for an agent whose session is another one than after, over as
// many boots as that takes.
func (vm *VM) hello(ctx context.Context, after string) (m *machine, session string, err error) {
	if m, err = vm.running(); err != nil {
		return nil, "", err
	}
	for {
		err = vm.watch(ctx, m, func(ctx context.Context) error {
			session, err = m.agent.Hello(ctx, after)
			m.greeted.Store(m.greeted.Load() || err == nil)
			return err
		})
		if !errors.Is(err, agent.ErrRestarted) {
			return m, session, err
		}
		m = m.next
	}
}

// watch calls what waits for a guest, ends it when the guest's kernel has given
// up, and turns the end of the channel into what became of the machine:
// [agent.ErrRestarted] or [ErrOff] with a reason.
func (vm *VM) watch(ctx context.Context, m *machine, wait func(context.Context) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !startsAnewAfterPanic(vm.config.CommandLine) {
		go func() {
			select {
			case <-m.console.panicked:
				time.Sleep(lastWords)
				if !m.broken.Load() { // by the emulator: another boot follows
					cancel(errors.New("the machine's kernel panicked; its serial log says why"))
				}
			case <-inner.Done():
			}
		}()
	}
	err := wait(inner)
	if !errors.Is(err, agent.ErrClosed) {
		return err
	}
	if _, err := m.successor(ctx); err != nil {
		return err
	}
	return agent.ErrRestarted
}
