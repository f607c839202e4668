package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
)

// at is the path of a place in the root directory that is being made.
func (m *machine) at(parts ...string) string {
	return filepath.Join(append([]string{m.root}, parts...)...)
}

// A directory is one that the root directory has, with its permissions.
type directory struct {
	name        string
	permissions os.FileMode
}

// rootDirectories are the mount points of a machine. /efi is there so that
// systemd-gpt-auto-generator never puts the ESP on /boot.
func rootDirectories() []directory {
	return []directory{
		{"usr", 0o755}, {"etc", 0o755}, {"var", 0o755}, {"home", 0o755}, {"root", 0o700},
		{"srv", 0o755}, {"opt", 0o755}, {"proc", 0o555}, {"sys", 0o555}, {"dev", 0o755},
		{"run", 0o755}, {"tmp", 0o1777 | os.ModeSticky}, {"mnt", 0o755}, {"media", 0o755},
		{"stet", 0o700}, {"efi", 0o755},
	}
}

// rootSymlinks are those of a merged-/usr system, and the kernel's place for
// programs that look in /boot.
func rootSymlinks() map[string]string {
	return map[string]string{
		"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
		"boot": "usr/lib/stet/boot",
	}
}

// A kernelFileSystem is one without a device.
type kernelFileSystem struct {
	fstype, target string
	flags          uintptr
	options        string
}

// kernelFileSystems are those that systemd would mount otherwise, with its
// options (systemd's src/shared/mount-setup.c).
func kernelFileSystems() []kernelFileSystem {
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return []kernelFileSystem{
		{"proc", "proc", safe, ""},
		{"sysfs", "sys", safe, ""},
		{"devtmpfs", "dev", unix.MS_NOSUID | unix.MS_STRICTATIME, "mode=0755,size=4m,nr_inodes=1m"},
		{"tmpfs", "run", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_STRICTATIME, "mode=0755,size=20%,nr_inodes=800k"},
	}
}

func (m *machine) mountKernelFileSystems() error {
	for _, f := range kernelFileSystems() {
		if err := os.MkdirAll("/"+f.target, 0o755); err != nil {
			return err
		}
		if err := mount.New(f.fstype, "/"+f.target, f.flags, f.options); err != nil {
			return err
		}
	}
	m.lap("kernel file systems")
	return nil
}

// remountRun mounts an empty /run in the place of the one that was.
func (m *machine) remountRun() error {
	for _, f := range kernelFileSystems() {
		if "/"+f.target == m.run {
			return mount.New(f.fstype, m.run, f.flags, f.options)
		}
	}
	return nil
}

func (m *machine) makeRun() error { return os.Mkdir(filepath.Join(m.run, "stet"), 0o755) }

func (m *machine) readCommandLine() error {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	m.commands, err = parseCommandLine(string(text))
	return err
}

// makeRoot makes the root directory: mount points and symlinks in a small tmpfs.
func (m *machine) makeRoot() error {
	if err := os.Mkdir(m.at(), 0o755); err != nil {
		return err
	}
	if err := mount.Tmpfs(m.at(), unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=4m,nr_inodes=4k"); err != nil {
		return err
	}
	return layOut(m.at())
}

// layOut fills an empty root directory.
func layOut(root string) error {
	for _, d := range rootDirectories() {
		if err := os.Mkdir(filepath.Join(root, d.name), d.permissions); err != nil {
			return fmt.Errorf("make the root directory: %w", err)
		}
	}
	for name, target := range rootSymlinks() {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			return fmt.Errorf("make the root directory: %w", err)
		}
	}
	return nil
}

// checkSystemd reads the program that comes next as long as a person can still be
// asked what to do about it.
func (m *machine) checkSystemd() error {
	if _, err := os.ReadFile(m.at(systemd)); err != nil {
		return noSystemd(err)
	}
	return nil
}

func noSystemd(err error) error {
	return remedy{fmt.Errorf("start %s: %w", systemd, err),
		"Choose another entry in the boot menu; does this system have systemd? When another one runs, `stet verify` says what is damaged."}
}

// microcode is the first archive of an initrd, which CPUs have taken from it.
const microcode = "/kernel"

// forgetFiles gives back the memory of the initrd's files, which were all used.
func (m *machine) forgetFiles() error {
	for _, name := range []string{"/init", modulesDirectory, runDirectory, microcode} {
		os.RemoveAll(name)
	}
	return nil
}

// switchRoot leaves the initrd and starts systemd.
func (m *machine) switchRoot() error {
	for _, f := range kernelFileSystems() {
		if err := mount.Move("/"+f.target, m.at(f.target)); err != nil {
			return err
		}
	}
	// As switch_root(8): a mount moved over the root, because the first one of all
	// cannot be pivoted away.
	if err := os.Chdir(m.at()); err != nil {
		return err
	}
	if err := mount.Move(".", "/"); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the root directory: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	m.root = "/"
	if err := m.record(); err != nil {
		m.problem("nothing is recorded of this boot: %v", err)
	}
	startNetworkDrivers()
	return noSystemd(unix.Exec(systemd, []string{systemd}, os.Environ()))
}
