// Package archive takes a part of a machine's state away, and brings it back: as a
// tar(5) archive in the directory of the state, which keeps owners, modes, times,
// extended attributes, holes, hard links and symlinks.
//
// It takes a [Shelf] and a path. What goes is first moved, as it is, to where nobody
// but root gets: nothing that others do to the path meanwhile leads anywhere else.
// It is gone only once its archive is on the disk, and is put back when anything
// fails, or somebody has it open. docs/formats/state.md says what is where.
//
// It must never decide what may go, or follow a symlink. Only cli may import it.
package archive
