// Package mounttest runs tests in a mount namespace of their own, so that none of
// their mounts can be left behind on the machine that runs them. Only tests import
// it.
package mounttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const inside = "STET_TEST_IN_NAMESPACE"

// Main runs the tests once more in a namespace, and ends the process as they end.
// Who is not root has none: see [Inside].
func Main(m *testing.M) {
	if Inside() || os.Getuid() != 0 {
		os.Exit(m.Run())
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	err := again.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "cannot make a mount namespace:", err)
		os.Exit(1)
	}
}

// MainOfRoot is Main of tests that all mount.
func MainOfRoot(m *testing.M) {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests mount; run them as root")
		os.Exit(1)
	}
	Main(m)
}

// Inside reports whether the tests run in their namespace.
func Inside() bool { return os.Getenv(inside) != "" }
