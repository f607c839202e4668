package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
	"stet/internal/mount"
	"stet/internal/seccomp"
)

// devices are those of the host that a program may use.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// deviceLinks are the links that every Linux has.
var deviceLinks = map[string]string{
	"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
	"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}

// What is in memory has an end, far from the host's and the same everywhere:
// half of the host's memory would be the kernel's choice for each.
const (
	smallSize = "size=64m"
	largeSize = "size=1g"
)

// masked is what the files of /proc that describe the host say instead: one
// small machine, the same everywhere.
var masked = map[string]string{
	"cmdline": "quiet\n",
	"cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: Stet\nstepping\t: 0\ncpu MHz\t\t: 1000.000\ncpu cores\t: 1\nflags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm\n\n",
	"meminfo": "MemTotal:        4194304 kB\nMemFree:         2097152 kB\nMemAvailable:    3145728 kB\nBuffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
	"version": "Linux version 6.12.0 (stet@stet) #1 SMP\n",
	"stat":    "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
	"uptime":  "60.00 60.00\n",
	"loadavg": "0.00 0.00 0.00 1/1 1\n",
	"modules": "", "swaps": "Filename\tType\tSize\tUsed\tPriority\n",
	"kallsyms": "", "partitions": "", "diskstats": "", "interrupts": "", "keys": "", "key-users": "",
	"sysrq-trigger": "", "kmsg": "",
}

// kernelFileSystems makes /dev, /proc, /run and /tmp of the root in dir. /sys
// stays as the root has it: empty.
func kernelFileSystems(dir string) error {
	if err := makeDev(filepath.Join(dir, "dev")); err != nil {
		return fmt.Errorf("make /dev: %w", err)
	}
	if err := makeProc(filepath.Join(dir, "proc"), filepath.Join(dir, "dev")); err != nil {
		return fmt.Errorf("make /proc: %w", err)
	}
	for name, data := range map[string]string{"run": "mode=0755," + smallSize, "tmp": "mode=1777," + largeSize} {
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := mount.Tmpfs(target, unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
			return err
		}
	}
	return nil
}

func makeDev(dev string) error {
	if err := os.MkdirAll(dev, 0o755); err != nil {
		return err
	}
	if err := mount.Tmpfs(dev, unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,"+smallSize); err != nil {
		return err
	}
	for _, name := range devices {
		bind := Bind{Source: "/dev/" + name}
		if err := bind.make(filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for name, target := range deviceLinks {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for name, fs := range map[string][2]string{
		"pts": {"devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		"shm": {"tmpfs", "mode=1777," + smallSize},
	} {
		target := filepath.Join(dev, name)
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		if err := mount.New(fs[0], target, unix.MS_NOSUID|unix.MS_NOEXEC, fs[1]); err != nil {
			return err
		}
	}
	return nil
}

// makeProc mounts a read-only /proc, so that not even root can set a sysctl,
// and covers what tells of the host. The covers are kept on /dev's tmpfs,
// unlinked by nobody: a bind needs its source only while it is made.
func makeProc(proc, dev string) error {
	if err := os.MkdirAll(proc, 0o555); err != nil {
		return err
	}
	err := mount.New("proc", proc, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: in a user namespace that takes a /proc of the host of which nothing is covered, as containers do unless started with --security-opt unmask=ALL", err)
	}
	if err != nil {
		return err
	}
	for name, text := range masked {
		target := filepath.Join(proc, name)
		if _, err := os.Lstat(target); err != nil {
			continue // this kernel has no such file
		}
		cover := filepath.Join(dev, ".proc-"+name)
		if err := os.WriteFile(cover, []byte(text), 0o444); err != nil {
			return err
		}
		if err := mount.Bind(cover, target); err != nil {
			return err
		}
		if err := mount.RemountReadOnly(target); err != nil {
			return err
		}
		if err := os.Remove(cover); err != nil {
			return err
		}
	}
	return mount.RemountReadOnly(proc)
}

// kept are the capabilities a maintainer script needs: they reach nothing but
// the files and processes of the root.
var kept = []int{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID,
	unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SETFCAP,
	unix.CAP_SYS_CHROOT, unix.CAP_AUDIT_WRITE, unix.CAP_NET_BIND_SERVICE,
}

// confine sets what the program inherits from this thread.
func confine(allCPUs bool) error {
	if !allCPUs {
		if err := oneCPU(); err != nil {
			return err
		}
	}
	for resource, limit := range map[int]unix.Rlimit{
		unix.RLIMIT_NOFILE: {Cur: 1024, Max: 4096},
		unix.RLIMIT_CORE:   {},
	} {
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("set limits: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// What a program makes in a sandbox is written out by whoever takes it from there;
	// until then, a power cut loses all of it anyway.
	if err := seccomp.Skip(seccomp.Syncs); err != nil {
		return err
	}
	return dropCapabilities()
}

func oneCPU() error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("get CPUs: %w", err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("set CPU: %w", err)
	}
	return nil
}

// dropCapabilities takes all but the kept ones from the bounding set and from
// this thread, so that no program in the root can get them back.
func dropCapabilities() error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if slices.Contains(kept, c) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range kept {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}
