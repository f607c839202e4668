// Package plainjson reads and writes the small JSON files (RFC 8259) of the first
// program of a machine, without reflection. That program runs once and cold: with
// encoding/json the manifest alone took some 30 ms of an emulated boot, and all waited
// for it. Other programs use encoding/json.
package plainjson
