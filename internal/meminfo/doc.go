// Package meminfo says how much memory a host has for who asks now.
//
// It must never keep what it found, nor decide what is enough.
package meminfo
