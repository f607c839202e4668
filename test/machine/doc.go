// Package machine boots examples/hello and looks whether the machine is
// what design and guide promise: what it serves, what it refuses, what it keeps
// and what it forgets, over two power failures. All of it is one
// machine's life, because a boot is what costs time.
package machine
