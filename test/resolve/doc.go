// Package resolve asks stet which packages a machine would get, and why, of an
// archive on the loopback: the switches of a configuration, the reasons that
// `stet lock --explain` gives, and what it says when a wish cannot be met.
package resolve
