// Package unit reads systemd units as far as Stet needs to: what a file says,
// what "[Install]" asks for, which files together are a unit, and what two
// versions of one mean to a machine on which it runs.
//
// It takes the texts of unit files (systemd.syntax(7), systemd.unit(5)), by way
// of [Files], and gives values. It is pure and never asks a running systemd.
package unit
