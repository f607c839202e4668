// Package nbd serves a disk to QEMU by the NBD protocol.
//
// It takes a connection and a [Disk], does what the other end asks of the disk,
// and gives the reason why that came to an end. Nothing that it hears is trusted:
// no request reaches the disk that lies outside of it, and none costs more memory
// than it may bring or take.
//
// It must never listen, open a file, or know what a disk is made of and who may
// see it. It imports the standard library only. Everybody may import it.
package nbd
