package surroundings

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
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
// where this process may do so, without a network and with a host name and
// mounts that are its own. When this process ends, so does the command.
func Run(cmd *exec.Cmd) error {
	cmd.Env = append(cmd.Environ(), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if mayMakeNamespaces() {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET
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
// and umask. Where there is memory enough, dir, which must be empty, becomes a
// file system in memory, which lists what was made in it in another order.
func Enter(dir string) (Report, error) {
	r := Report{
		Varied: []string{"environment, locale and time zone", "umask", "path of the store"},
		Same:   slices.Clone(constant),
	}
	unix.Umask(0o077)
	if runtime.NumCPU() == 1 {
		r.Varied = append(r.Varied, "CPUs: 1")
	}
	if !mayMakeNamespaces() {
		r.Same = append(r.Same, "host name, network and file system: only root may change them")
		return r, nil
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return r, fmt.Errorf("set host name: %w", err)
	}
	r.Varied = append(r.Varied, "host name", "no network")
	if err := mount.MakePrivate("/"); err != nil {
		return r, err
	}
	size := available() / 2
	if size < leastMemory {
		r.Same = append(r.Same, fmt.Sprintf("file system: in memory it would have only %d MB", size/1e6))
		return r, nil
	}
	if err := mount.Tmpfs(dir, unix.MS_NODEV, fmt.Sprintf("mode=0700,size=%d,nr_inodes=0", size)); err != nil {
		return r, err
	}
	r.Varied = append(r.Varied, "file system: tmpfs")
	return r, nil
}

// leastMemory is what the scripts of a large desktop write, twice over.
const leastMemory = 1 << 30

// available is how much memory nobody uses, in bytes; 0 when the kernel does
// not say (proc_meminfo(5)).
func available() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes uint64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
