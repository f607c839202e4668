package surroundings

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// environment is laid over the process's own. What can be seen of it in a
// build's output is a leak.
var environment = []string{
	"TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "LANGUAGE=tr",
	"HOME=/nonexistent", "TMPDIR=/nonexistent", "USER=somebody", "LOGNAME=somebody",
	"DEBIAN_FRONTEND=readline", "DPKG_ROOT=/nonexistent", "PERL5LIB=/nonexistent", "PYTHONPATH=/nonexistent",
	"SOURCE_DATE_EPOCH=1",
}

// hostname is what the host is called.
const hostname = "elsewhere.example"

// Report says what differs from the surroundings of before, and what is the
// same because nobody may or can change it.
type Report struct {
	Varied []string `json:"varied"`
	Same   []string `json:"same"`
}

// constant are the conditions that no namespace has.
var constant = []string{
	"wall clock: it only goes on, for the kernel's time namespaces do not have it (files are searched for the day instead)",
	"kernel and processor",
}

// Run runs a command elsewhere: with another environment, on one CPU, and,
// where this process may do so, without a network and with a host name that is its
// own. When this process ends, so does the command.
func Run(cmd *exec.Cmd) error {
	cmd.Env = append(cmd.Environ(), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if mayMakeNamespaces() {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUTS | unix.CLONE_NEWNET
	}
	// A process inherits the CPUs of the thread that starts it, and is told of
	// that thread's end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("get CPUs: %w", err)
	}
	for cpu := range 64 * len(all) {
		if all.IsSet(cpu) {
			one.Zero()
			one.Set(cpu) // the last one: a sandbox takes the first
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("set CPU: %w", err)
	}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &all); back != nil {
		return errors.Join(err, fmt.Errorf("set CPUs: %w", back))
	}
	if err != nil {
		return err
	}
	return cmd.Wait()
}

func mayMakeNamespaces() bool { return os.Geteuid() == 0 }

// Enter does the rest in the started process, before anything else: host name
// and umask.
func Enter() (Report, error) {
	r := Report{
		Varied: []string{"environment, locale and time zone", "umask", "path of the store"},
		Same:   slices.Clone(constant),
	}
	unix.Umask(0o077)
	if runtime.NumCPU() == 1 {
		r.Varied = append(r.Varied, "CPUs: 1")
	}
	if !mayMakeNamespaces() {
		r.Same = append(r.Same, "host name and network: only root may change them")
		return r, nil
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return r, fmt.Errorf("set host name: %w", err)
	}
	r.Varied = append(r.Varied, "host name", "no network")
	return r, nil
}
