// Package durable puts things onto the disk so that a power cut leaves them there: it
// returns only when they are written out.
//
// It takes names and bytes. A file and its name are two things: [Write] is about what
// is in a file, [Sync] about the names in a directory. Whoever needs both at once
// writes under a hidden name, renames, and syncs.
//
// It must never know what it writes. The store, which writes many objects before one
// of them counts, syncs the whole file system instead; and on FAT a file is synced once
// more under its last name, which boot does.
package durable
