// Package systemd asks running managers, the system's and those of users, what
// their units do, and tells them what to do with them.
//
// It takes names of units and gives what the manager says, by the interface that
// systemd promises to keep, org.freedesktop.systemd1(5), on the manager's own
// socket: so a stopped bus is no obstacle. A program that asks in its place takes
// longer to start than the manager to answer. Only the journal is read by
// journalctl(1).
//
// It must never decide which units. facts, activate and cli may import it.
package systemd
