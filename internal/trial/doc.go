// Package trial carries out the tests that a machine declares.
//
// It takes the tests of a machine.Machine and a running [Guest], and gives
// [Result] values: data, for a table as well as for JSON. A test's steps run
// in order and end at the first that fails; the tests run one after the other
// in the order of their names, because they share one machine.
//
// It never prints, and never starts or ends the machine: that is its caller's
// (cli, tests) with internal/vm.
package trial
