// Package grow lets a store fill the disk that it is on: an image is as large as
// its description says, and the disk that it was copied to may be larger.
//
// It takes the partition table that was read, the disk and the mounted store, and
// changes the table, the kernel's idea of the partition, and the file system, in
// this order. Each step is whole or not at all, and the next boot goes on where
// the power went.
//
// It must never shrink anything, nor touch a partition that another one follows.
// stet-init calls it; it imports nothing that is not small.
package grow
