// stet-init is PID 1 of the initrd: it finds the store, mounts the system that
// the kernel command line names, brings over what outlives a generation, and
// gives way to systemd.
//
// It takes the command line (stet.system=DIGEST), the initrd's /modules and
// /stet.run, and a disk with a store; docs/formats has their layouts. It must be
// small, quick and hard to break: it imports the standard library,
// golang.org/x/sys/unix and Stet's mount and state, and a test keeps it so. It
// never runs a program but systemd, and what goes wrong with a person's files is
// a line in the record of the boot, not a machine that stays down.
package main
