// Package apt asks apt's own resolver what it would install: the oracle of the
// solver's tests, and the peer of its benchmark.
//
// It takes a Packages index and gives a world of its own below a directory:
// status, sources, lists and cache are there, and nothing of the host's is read.
// It installs nothing, and may be imported by tests and benchmarks.
package apt
