// Package initrd makes the initial RAM file system of a machine: stet-init, the
// kernel modules it needs to reach the store, and nothing else.
//
// It takes the bytes of stet-init and a reader of the kernel's module directory
// and gives a cpio archive (newc, see cpio(5) and the kernel's
// driver-api/early-userspace/buffer-format.rst). The same input gives the same
// bytes: time stamps are zero, owners are root, inode numbers count up.
//
// It must never look at the machine it runs on, run a program or mount anything.
// Pure: build, system and vm may import it.
package initrd
