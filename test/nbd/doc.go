// Package nbd is a disk that can lose power: it serves an image to QEMU over a
// unix socket, by internal/nbd, and treats what is written as the cache of a real
// disk may. Until a flush, or with the flag to force unit access, a write is only
// held. At a cut each held write reaches the disk, or does not, or does in part,
// sector by sector, whatever the order in which they came.
//
// It takes a raw image, which it never writes, and a seed, by which all it does
// can be done again; it gives [Disk]s, which are values in memory over that
// image: a clone costs as little as what was written. So one run of a guest
// gives as many crashed disks as a test likes, each of them what a power cut at
// that moment could have left.
//
// Only tests import it.
package nbd
