// Package unit reads systemd units as far as Stet needs to: sections, keys
// and lists, and what "[Install]" asks for.
//
// It takes the text of a unit file (systemd.syntax(7), systemd.unit(5)) and
// gives values. It is pure and never asks a running systemd.
package unit
