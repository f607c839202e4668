// Package debian boots a machine with what people know Debian by, and works
// with it as they do: programs that look at packages answer as on any Debian,
// programs that would change them refuse at once and name the way. The archive
// that apt reads is made in the guest, so nothing is asked beyond it.
package debian
