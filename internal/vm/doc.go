// Package vm runs a machine in QEMU and drives it: start, run commands in it,
// wait for units and ports, look at its console and its screen, reboot it,
// crash it, several at once.
//
// It takes a kernel, an initrd, a command line and the raw image of a store
// disk, and gives a [VM]. The disk is never written: each VM has a qcow2
// overlay in a run directory of its own, which survives reboots and crashes of
// the guest and goes with the VM. Only a disk that a server has is the server's
// to keep. How a VM gets from boot to boot is said in
// power.go. The guest's system is never changed either: the control channel
// (internal/vm/agent) comes in from outside, in a second initrd archive whose
// content stet-init moves to /run.
//
// A machine that has booted can be kept: memory, devices and disk, in a [Place]. VMs
// of the same machine begin there instead of booting ([StartBooted]); booted.go says
// when, kept.go what is on the disk, memory.go how QEMU is had do it.
//
// It must never leave anything behind: QEMU ends with the context, with
// [VM.Close] and with the process that started it. It never talks to a
// person: what is to be said, such as that KVM cannot be used, is data. The
// guest reaches no network; only declared ports of it are reachable, from
// 127.0.0.1.
//
// It is an edge: cli, trial and tests may import it, no pure room does.
package vm
