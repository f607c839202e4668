// Package verity computes and enables fs-verity: the kernel's read-only file
// protection, whose digest is also the name of an object in Stet's store.
//
// [Hash] takes the bytes of a file and gives the digest that the kernel would
// measure (SHA-256, 4096-byte blocks, no salt). It is pure; everybody may use
// it. [Enable] and [Measure] ask the kernel about an open file.
//
// Format: https://docs.kernel.org/filesystems/fsverity.html
package verity
