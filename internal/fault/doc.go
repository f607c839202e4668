// Package fault names the moments at which a change becomes visible to whoever
// comes after a crash, so that tests can crash there and nowhere else.
//
// A room that changes what lasts calls [Reach] after each step that a reader
// could see, with a point of the one list. Nothing happens, unless the
// environment asks for it (STET_FAULT=POINT): then the process dies as by
// kill -9, or, with STET_FAULT=POINT:halt, says so on the console and stands
// still, so that whoever watches it can cut the power. In an initrd, where there
// is no environment, the kernel command line says the same (stet.fault=).
//
// It must never do anything else. Every room that writes may import it; it
// imports the standard library and golang.org/x/sys/unix only, because
// stet-init has it too.
package fault
