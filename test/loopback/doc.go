// Package loopback runs stet against archives that a test makes and signs.
//
// It takes packages, makes an archive of them and of everything that
// examples/minimal has locked, serves it on loopback, and gives a repository, a
// store and a stet program that trusts the archive's key. That program is the
// test's own binary started again, so that it can be killed, limited and cut
// off like the real one: TestMain of a package that imports this one begins
// with [Main]. Only test/ imports it.
package loopback
