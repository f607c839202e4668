// Package hardware finds out what a machine is made of, as far as a description
// has to know it: drivers of its disks, firmware, microcode, disks.
//
// It takes the directories of a running Linux, and a function that tells what
// firmware a module asks for; it gives plain values. Hardware that Stet cannot
// install on yet is an error that says so.
//
// It must never change anything, nor write a configuration: cli does that. Only
// cli imports it.
package hardware
