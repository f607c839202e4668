// Package boot keeps what the boot loader reads: entries, their counters, and
// the kernels and initrds they share.
//
// It takes generations and a mounted ESP, decides as a value what is written and
// removed and how many bytes that takes, and carries that value out. The formats
// are in docs/formats/boot.md.
//
// It must never mount, never touch the store, and never write an entry before
// everything the entry names is on the ESP. disk, build and cli may import it.
package boot
