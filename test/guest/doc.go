// Package guest boots a repository's machine in QEMU for tests.
//
// It takes a repository that is locked and fetched, lets the stet program build
// it, and gives a running [vm.VM] with the disk that `stet vm` would make. The
// VM ends with the test. TestMain of a package that imports it begins with
// sandbox.Main, because the disk is made in a sandbox. Only test/ imports it.
package guest
