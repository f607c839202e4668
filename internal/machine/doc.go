// Package machine holds the types of a machine: the complete, typed
// description that a configuration evaluates to.
//
// It takes nothing and gives plain values. It knows no CUE, no YAML, no file
// system and no network: config makes these values, lock, build and system
// read them. Everybody may import it; it imports only the standard library.
//
// The JSON form of a [Machine] is canonical (encoding/json sorts map keys, all
// sets are sorted), so its SHA-256 names the machine. A comment in the
// configuration therefore changes no machine.
package machine
