// Package stage makes a system of the store one that a machine starts next:
// complete, recorded as a generation, and with a boot entry, in this order.
//
// It takes a store, the mounted ESP, and what is known of the running machine.
// Everything that can be refused is refused before anything is changed.
//
// It must never build, fetch or mount, and never activate. gc and cli may
// import it.
package stage
