// Package fat writes a FAT32 file system, which is what firmware boots from.
//
// It takes a list of files and a size, and gives the bytes, by Microsoft's "FAT32
// File System Specification" (fatgen103): written once and in order, every file
// and directory in one piece, the same bytes for the same files.
//
// It must never read or change a file system that is there: the kernel does that.
// Only disk imports it.
package fat
