// Package state keeps what belongs to a machine and not to a generation: the
// persisted paths and user-owned account fields of /etc, the machine's identity,
// and the seeds, directories and owned symlinks of /var.
//
// It takes directories (an overlay's upper, a mounted tree, the state directory
// of the store) and a [Policy], and changes only what is below them: every path
// goes through os.Root, because what lies there was written by others. It
// prefers doing less over failing, as it runs before anybody can log in: what it
// could not do it returns as problems.
//
// It must never mount, decide which generation runs, or delete what a person
// wrote. stet-init, activate, drift and cli may import it; it imports only the
// standard library and golang.org/x/sys/unix.
package state
