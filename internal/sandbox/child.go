package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"stet/internal/mount"
)

// Hostname is the host name of every sandbox: where a script writes it into a file, it
// still means the machine that has the file.
const Hostname = "localhost"

// base is where the root is assembled: a directory that every host has and
// that no mount of a root comes from.
const base = "/sys"

// Main does nothing, unless the executable was started by [Run] as the second
// run: then it becomes the program and does not return.
func Main() {
	if os.Args[0] != marker || len(os.Args) != 2 {
		return
	}
	files, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return
	}
	// What exec keeps of a thread (CPUs, capabilities) is set on this one.
	runtime.LockOSThread()
	config := os.NewFile(uintptr(firstFile+files), "setup")
	status := os.NewFile(uintptr(firstFile+files+1), "status")
	// The program gets its own files and none that leaked in from outside.
	err = unix.CloseRange(uint(firstFile+files), ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		err = become(config)
	}
	fmt.Fprintln(status, err)
	os.Exit(failedStart)
}

// become turns this process into the program; it returns only an error.
func become(config io.ReaderAt) error {
	text, err := io.ReadAll(io.NewSectionReader(config, 0, 1<<24))
	if err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	var s setup
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	if err := unix.Sethostname([]byte(Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if s.FirstPID > 0 {
		// A host that forbids it, such as a container, keeps its own numbers:
		// what is built must not depend on them anyway.
		_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(s.FirstPID-1)), 0)
	}
	unix.Umask(0o022) // for what is made in the root, and for the program
	if err := enter(s.Root); err != nil {
		return err
	}
	if err := syscall.Setgroups([]int{0}); err != nil { // those of whoever runs stet reach outside
		return fmt.Errorf("leave the host's groups: %w", err)
	}
	if err := confine(s.AllCPUs); err != nil {
		return err
	}
	if s.Dir != "" {
		if err := os.Chdir(s.Dir); err != nil {
			return err
		}
	}
	program, err := lookPath(s.Argv[0], s.Env)
	if err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w", program, unix.Exec(program, s.Argv, s.Env))
}

// lookPath finds the program as its own environment says.
func lookPath(name string, env []string) (string, error) {
	for _, variable := range env {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return "", err
			}
		}
	}
	return exec.LookPath(name)
}

// enter assembles the root in a place that nobody else sees, and moves into it.
func enter(root Root) error {
	if err := mount.MakePrivate("/"); err != nil {
		return err
	}
	if err := root.assemble(base); err != nil {
		return err
	}
	if err := kernelFileSystems(base); err != nil {
		return err
	}
	if err := root.cover(base); err != nil {
		return err
	}
	if err := os.Chdir(base); err != nil {
		return err
	}
	// Both roots in one place: the old one ends on top and is detached.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	return os.Chdir("/")
}
