// Package example makes the machines of examples/ ready to be built: from
// their committed locks, or, when the mirrors have dropped locked packages,
// from a copy with a lock of its own.
//
// It takes the stet program and an example's name, runs stet as a person
// would, and gives a repository whose packages are all here. It is the one
// place that decides which of the two it is; the demo and every test that
// needs a built example ask it. It must never change examples/ itself, except
// in [Relock], which is what `make relock` is. Only test/ imports it.
package example
