// Package build is the only orchestrator: it leads a machine through the
// rooms, from wishes to a lock and from a lock to a system, and remembers
// every stage by the digest of its inputs.
//
// [Locker] is the half that may use the network, through a mirror.Client it
// is given. [Builder] is the half that may not: it takes a machine, a lock
// and a store that has the packages, and its result depends on nothing else.
package build
