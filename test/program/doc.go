// Package program runs the stet program as a person runs it: in a directory,
// with an environment and a store, from outside.
//
// It takes arguments and gives what was printed and the exit code. It must
// never decide whether that is right; tests do. Only test/ imports it.
package program
