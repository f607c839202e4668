// Package agent is the control channel between the VM driver on the host and
// the small program stet-agent in the guest.
//
// It takes a byte stream (a virtio-serial port) and gives commands with their
// output and exit status, and file contents, several at once over that one
// stream. [Server] is the guest's side, [Client] the host's. The protocol is
// written down in docs/formats/agent.md.
//
// The stream is not trusted by either side: it outlives an agent, so it may
// begin in the middle of a frame or carry requests that were meant for a boot
// that is gone. The package therefore never panics on input, never holds more
// than a bounded number of bytes per stream, and never carries out a request
// of another session.
//
// It imports only the standard library and golang.org/x/sys; stet-agent and
// internal/vm may import it.
package agent
