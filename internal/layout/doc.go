// Package layout writes a tree into a directory: the lower layer of an overlay
// where no EROFS image can be mounted, which is in every user namespace.
//
// It takes a tree and a directory of objects, and gives the directory. Where
// the kernel's overlay follows them, its files have no content of their own but
// name an object; elsewhere they have a copy, which shares the object's blocks
// on file systems that can. It never changes an object, and decides nothing
// about who mounts the directory, or for how long it stays.
//
// It is an edge; rootfs uses it.
package layout
