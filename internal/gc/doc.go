// Package gc lets go of what nobody needs any more: generations by number, age
// and room, and then whatever only they kept, in the store, on the ESP and among
// the saved uppers of /etc; on a build host also old builds, memos, packages and
// disks.
//
// It takes a policy and what is in use, decides as a value what goes, and
// carries that out: what names others goes before them, and everything is on the
// disk before the next kind begins. Killed at any moment it leaves a working
// store, and the next one finishes.
//
// It must never let go of a generation that is booted, running, the default, the
// last known good one, pinned, or used by a living process. cli may import it.
package gc
