// Package erofs turns a tree into an image: an EROFS file system that holds
// metadata only, in the composefs layout. Every regular file redirects to its
// object in the store, with the fs-verity digest that the kernel can require.
//
// It takes a tree and gives bytes, always the same ones for the same tree. It
// is pure; it reads no object. The kernel is its only reader; the tests read
// what it wrote with a foreign implementation and with fsck.erofs.
//
// The format is described in
// https://docs.kernel.org/filesystems/erofs.html and the kernel's
// fs/erofs/erofs_fs.h, the attributes in
// https://docs.kernel.org/filesystems/overlayfs.html ("metacopy", "redirect").
//
// The writer uses a small part of the format: extended inodes without
// compression, one null chunk for the content of every file, attributes
// beside their inode. It is our own because an image's bytes are part of a
// system's identity and must not change with a library's version.
package erofs
