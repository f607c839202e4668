// Package ext4 lays a file system out that a guest reads, and writes to, while its
// files stay where they are on the host.
//
// It takes a list of files and a size, and gives an [Image]: what the file system says
// of its files is in memory, their contents are read when somebody asks for the blocks
// that have them. So a disk with gigabytes is there at once, and takes nothing. The
// format is the kernel's Documentation/filesystems/ext4, written once: every file in one
// piece, with a journal, without checksums. The same files make the same bytes.
//
// It must never read or change a file system that is there, nor make one for a disk that
// people keep: that is for mke2fs(8). It opens nothing. Only disk imports it.
package ext4
