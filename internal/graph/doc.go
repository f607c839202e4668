// Package graph is the graph of a build as data: its stages, what each depends
// on by name, and which of that made one be done anew.
//
// It takes what an [Observer] heard, the named inputs of a build and the
// [Record] of the one before, and gives the [Node]s with their reasons. Rooms
// that work tell an Observer what they do; it knows no clock: whoever listens
// says when. Nothing of it is part of what is built: a lost record loses
// reasons.
package graph
