// Package drift says how a running machine differs from the system that it runs:
// what people and programs changed that no configuration declares.
//
// It takes a system, the store that has its trees, and what was [Seen] of the
// machine at one moment, and gives findings. It looks at nothing itself; package
// facts does. What becomes of a finding (it is adopted, undone, or left) is decided
// after it.
package drift
