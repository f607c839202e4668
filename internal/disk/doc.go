// Package disk makes the disk of a machine: the file system with its store, and
// round it the partitions and what the firmware boots.
//
// It takes a built system, the tools of the lock and a generation's record, and
// gives an image, raw or qcow2, or writes to a disk that is there. The formats
// are in docs/formats/boot.md and store.md. The tools run in the sandbox; nothing
// is mounted, and no program of the host has a part in it. Of one system, record
// and program, every image is the same to the byte.
//
// It must never build, and never write to a disk that was not named and checked.
package disk
