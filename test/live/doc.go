// Package live tests changing a running machine: in a VM, systems are planned
// and switched to, and systemd's journal is held against the plan.
package live
