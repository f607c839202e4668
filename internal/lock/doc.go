// Package lock is the format of stet.lock: what was resolved and proven, for
// every machine of a repository (docs/formats/lock.md).
//
// It takes the text of a lock and gives a [Lock], and back. It is pure: it
// opens no file, asks no clock, resolves nothing, and never decides whether a
// lock is up to date. Everybody may import it; it imports only the standard
// library.
package lock
