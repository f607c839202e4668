// Package systemd asks running managers, the system's and those of users, what
// their units do, and tells them what to do with them.
//
// It takes names of units and gives what systemctl(1) says. systemctl talks to
// the system's manager without the bus, so that a stopped bus is no obstacle,
// and waits for jobs as systemd means it; that saves a library for D-Bus. The
// protocol between the two is systemd's own affair: the program used is the one
// of the running system.
//
// It must never decide which units. facts, activate and cli may import it.
package systemd
