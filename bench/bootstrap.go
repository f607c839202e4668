package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bootstrappers are the two ways in which mmdebstrap makes a machine: without an
// initramfs, and with the packages that make it one.
func (b *bench) bootstrappers(l, with *lab) ([]peer, error) {
	plain, err := b.archive(l.machine+".archive", l)
	if err != nil {
		return nil, err
	}
	full, err := b.archive(l.machine+".archive-initramfs", with)
	if err != nil {
		return nil, err
	}
	bootstrap := func(l *lab, a *archive, suffix string) func(context.Context, int) (spent, error) {
		return func(ctx context.Context, run int) (spent, error) {
			target := b.target(l, suffix, run)
			unix.Sync()
			took, err := a.mmdebstrap(ctx, target)
			if err != nil {
				return spent{}, err
			}
			return took, same(l, target)
		}
	}
	return []peer{
		{name: "mmdebstrap", how: "mmdebstrap, without initramfs", archive: plain, build: bootstrap(l, plain, "mmdebstrap")},
		{name: "mmdebstrap with initramfs", how: "mmdebstrap, with its initramfs", archive: full, build: bootstrap(with, full, "mmdebstrap-initramfs")},
	}, nil
}

// target is where a peer makes a machine in a run.
func (b *bench) target(l *lab, peer string, run int) string {
	return filepath.Join(b.dir, fmt.Sprint(l.machine, ".", peer, "-", run))
}

// mmdebstrap makes a directory of the archive's packages in the way that is
// quickest for it: as root, into a directory, without waiting for the disk,
// the packages copied from this disk.
func (a *archive) mmdebstrap(ctx context.Context, target string, more ...string) (spent, error) {
	args := append([]string{
		"--mode=root", "--format=directory", "--variant=essential", "--dpkgopt=force-unsafe-io",
		"--include=" + strings.Join(a.names, ","), "--quiet",
	}, more...)
	args = append(args, suite, target, fmt.Sprintf("deb [trusted=yes] copy://%s %s main", a.dir, suite))
	took, _, err := measure(unshared(ctx, "mmdebstrap", args...))
	return took, errors.Join(installed("mmdebstrap"), err)
}

// unshared is a program in a mount namespace of its own: whatever ends it, none of its
// mounts stays behind for removeAll to walk into.
func unshared(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", program}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	// Maintainer scripts find their programs where Debian has them.
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8")
	return cmd
}

// installed says what to do where a peer is missing.
func installed(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%w: apt-get install %s", err, program)
	}
	return nil
}

// same makes sure that a peer installed what is locked.
func same(l *lab, target string) error {
	status, err := os.ReadFile(filepath.Join(target, "var/lib/dpkg/status"))
	if err != nil {
		return err
	}
	return sameSet(l, target, string(status))
}

// sameSet counts what dpkg's database says is installed.
func sameSet(l *lab, target, status string) error {
	if have, want := strings.Count(status, "Status: install ok installed\n"), len(l.lock.Machines[l.machine].Packages); have != want {
		return fmt.Errorf("%s has %d packages of %s, not %d", target, have, l.machine, want)
	}
	return nil
}

// debootstrap makes the machine of the same packages in the way that is quickest for
// it: the names are given to it outright, and dpkg does not wait for the disk.
func (b *bench) debootstrap(l *lab, a *archive) peer {
	return peer{name: "debootstrap", how: "debootstrap", archive: a, build: func(ctx context.Context, run int) (spent, error) {
		target := b.target(l, "debootstrap", run)
		options := filepath.Join(target, "etc/dpkg/dpkg.cfg.d")
		if err := os.MkdirAll(options, 0o755); err != nil {
			return spent{}, err
		}
		if err := os.WriteFile(filepath.Join(options, "quick"), []byte("force-unsafe-io\n"), 0o644); err != nil {
			return spent{}, err
		}
		unix.Sync()
		took, _, err := measure(unshared(ctx, "debootstrap", "--variant=minbase", "--no-check-gpg", "--merged-usr",
			"--include="+strings.Join(a.names, ","), suite, target, "file://"+a.dir))
		if err := errors.Join(installed("debootstrap"), err); err != nil {
			return spent{}, err
		}
		return took, same(l, target)
	}}
}
