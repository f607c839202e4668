// Package sandbox runs one program in a root of its own, with nothing of the
// host in it: no network, no /sys, a /proc that tells the same story
// everywhere, a fixed host name, one CPU, and no capability that reaches
// outside the root. Nothing waits for the disk in it: whoever takes what a program
// made writes it out.
//
// It takes a [Spec], which is data, and gives the program's exit. It never
// decides what the root holds: a [Root] is a list of mounts that the caller
// makes up. It is an edge; build and the rooms that build calls use it.
//
// The program is started by this program's own executable, run a second time
// in new namespaces. Therefore [Main] must be the first call of every main
// function, TestMain included, that leads here.
package sandbox
