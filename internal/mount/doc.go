// Package mount makes the mounts of a machine: composefs (an EROFS metadata
// image below an overlay, contents in the store's objects), overlays over plain
// directories, binds and tmpfs.
//
// It takes paths and gives a [Mount]: a mount that hangs nowhere yet and that
// [Mount.Attach] puts in its place, or [Mount.Replace] puts in the place of
// another one while programs run on it. Nothing it makes pins the file system
// the image came from, and a process that dies half-way leaves no mount behind:
// all the scaffolding stands in a mount namespace of one thread.
//
// It must never decide what is mounted where, read a manifest or know the
// layout of a machine. It needs root (CAP_SYS_ADMIN), /proc, and Linux 6.8 or
// newer (lowerdir+ and datadir+); tried on 6.12 and 6.18. Of a user namespace,
// root can mount all but composefs: the kernel trusts no image there.
//
// Linux edge: only cmd/stet-init, cli, build, the sandbox's root providers and
// activate may import it.
package mount
