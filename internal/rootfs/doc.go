// Package rootfs turns unpacked packages into a configured tree: the root
// that dpkg would leave, the same on every host and in every order.
//
// It takes packages (unpack's trees and control files), the epoch and the
// ledger of ids, and gives one tree. It merges the packages' files, writes
// dpkg's database, runs the maintainer scripts in the sandbox, harvests what
// they changed and treats it as the residue table says. It never touches the
// network and decides nothing about which packages there are.
//
// Scripts run in up to four roots, one after the other, each laid over the one
// before ([Layers]): the base alone, the packages that every script may rely on;
// then those that need little else, and more; then everything. All but the last can be
// made ahead, while packages are still unpacked, by [Builder.ConfigureLayers].
//
// The root that scripts run in comes from a [Provider]: [Overlay] lays an
// overlay over a composefs image of the tree, [LaidOut] over a directory, which
// is what an ordinary user can do.
package rootfs
