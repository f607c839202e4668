// Package disk makes the file system that a machine's store lives on.
//
// It takes a built system and the tools of the lock, and gives a raw image.
// The tools run in the sandbox; nothing is mounted, and no program of the
// host has a part in it. Today that is the disk of `stet vm`; partitions, the
// boot loader and sealing will come beside it.
package disk
