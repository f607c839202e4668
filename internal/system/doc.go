// Package system turns a machine and its configured root into the machine's
// trees and manifest: what is declared is laid over what the packages gave,
// natively, and the whole is split into usr, etc, var and modules.
//
// It takes values and the store, and gives trees, images, an initrd and the
// manifest whose digest is the system's identity. It runs nothing: what only
// a program can make (a locale, a library cache) is a [Finisher], data that
// build carries out. It never sees the network, the clock or the host.
//
// docs/formats/manifest.md describes the manifest, docs/formats/store.md the
// trees.
package system
