package vm

import (
	"bytes"
	"time"
)

// The emulator of QEMU 7.2 now and then runs code that the guest's kernel has
// replaced: one virtual CPU translates an instruction while another patches it,
// and keeps the breakpoint (int3) that marks the place for an instant
// (text_poke_bp of Linux' arch/x86/kernel/alternative.c). In about one of a
// hundred boots on a busy host it happens when late in its start the kernel
// makes its clock quick (sched_clock_init_late), and the kernel panics before it
// has run a program. More rarely a virtual CPU loses its timer while it comes up:
// then the kernel waits for ever, and says now and then that RCU's thread was not
// woken. Such a boot says nothing about the machine, and is begun again.

// brokenBoots is how many boots of a VM are begun again at most: a kernel with
// a breakpoint of its own would never end.
const brokenBoots = 3

// watchEmulator ends a machine whose kernel was broken before its agent was
// there. Later, programs have run and disks were written, and what becomes of
// that is not for the driver to decide.
func (vm *VM) watchEmulator(m *machine) {
	select {
	case <-m.console.misled:
	case <-m.child.done:
		return
	}
	vm.mu.Lock()
	again := !m.greeted.Load() && vm.broken < brokenBoots
	if again {
		vm.broken++
		m.broken.Store(true)
	}
	vm.mu.Unlock()
	if !again {
		return
	}
	time.Sleep(lastWords)
	vm.serial.said([]byte("\r\nstet: QEMU's emulation broke the guest's kernel; booting again\r\n"))
	m.child.kill()
}

// failedItself reports whether QEMU ended by an assertion of its own before the
// guest's agent was there, as its PCI devices now and then do while the kernel
// looks for them. Such a boot says nothing, either. vm.mu is held.
func (vm *VM) failedItself(m *machine) bool {
	failed := !m.greeted.Load() && vm.broken < brokenBoots && bytes.Contains(m.said.bytes(), []byte("Assertion `"))
	if failed {
		vm.broken++
	}
	return failed
}
