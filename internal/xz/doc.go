// Package xz decompresses .xz files (The .xz File Format, version 1.2.1):
// several blocks and streams, stream padding, the checks none, CRC32, CRC64 and
// SHA-256.
//
// It takes readers of foreign bytes and gives their content. LZMA2 is the only
// filter it knows, because dpkg-deb, archives and the kernel's build use no
// other; one that it does not know is an error with its name. It never reads
// more memory into being than a dictionary of 64 MiB and small buffers for each
// decoder, whatever a header claims; decoders share windows that are free again.
// It never gives content as complete before the sizes and checks that stand
// behind it are right. It imports no room; debian is its user.
//
// The inner loop and CRC64 are assembly on amd64, where most of a first build's time is
// theirs; elsewhere, and with the build tag purego, they are Go.
package xz
