package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// server190 builds the server with both.
func (b *bench) server190(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	with, err := b.withInitramfs(ctx)
	if err != nil {
		return nil, err
	}
	return b.contest(ctx, l, with, serverFraction, memoryLimit)
}

// serverLarge builds the example of about 650 packages with both.
func (b *bench) serverLarge(ctx context.Context) ([]result, error) {
	text, err := os.ReadFile(largeConfiguration)
	if err != nil {
		return nil, err
	}
	l, err := b.locked(ctx, "server-large", string(text))
	if err != nil {
		return nil, err
	}
	with, err := b.locked(ctx, "server-large-initramfs", strings.Replace(string(text), "\npackages:\n", "\npackages:\n  - initramfs-tools\n", 1))
	if err != nil {
		return nil, err
	}
	return b.contest(ctx, l, with, largeFraction, largeMemoryLimit)
}

const largeConfiguration = "examples/server-large/stet.yaml"

// The promised parts of mmdebstrap's time without an initramfs.
const (
	serverFraction = 1.0 / 2
	largeFraction  = 1.0 / 3
)

// contest builds a machine with both, in turns, from packages that are there:
// mmdebstrap once without an initramfs, and once with the packages that make it
// one.
func (b *bench) contest(ctx context.Context, l, with *lab, fraction, memoryLimit float64) ([]result, error) {
	plain, err := b.archive(l.machine+".archive", l)
	if err != nil {
		return nil, err
	}
	full, err := b.archive(l.machine+".archive-initramfs", with)
	if err != nil {
		return nil, err
	}
	var ours, ourCPU, memory, theirs, theirCPU, longer []float64
	for i := range b.runs {
		// Nothing is removed before the end: ext4 passes over inodes that were
		// freed in the last minutes, one by one, and the next run would pay.
		store, target := filepath.Join(b.dir, fmt.Sprint(l.machine, ".built-", i)), filepath.Join(b.dir, fmt.Sprint(l.machine, ".target-", i))
		say("%s, run %d of %d: stet", l.machine, i+1, b.runs)
		if err := emptyStore(store, l.store); err != nil {
			return nil, err
		}
		took, _, err := b.runStet(ctx, l.repository, store, "build")
		if err != nil {
			return nil, err
		}
		ours, ourCPU, memory = append(ours, took.Wall), append(ourCPU, took.CPU), append(memory, took.Memory)

		say("%s, run %d of %d: mmdebstrap", l.machine, i+1, b.runs)
		if took, err = plain.beside(ctx, l, target); err != nil {
			return nil, err
		}
		theirs, theirCPU = append(theirs, took.Wall), append(theirCPU, took.CPU)
		say("%s, run %d of %d: mmdebstrap with its initramfs", l.machine, i+1, b.runs)
		if took, err = full.beside(ctx, with, target+"-initramfs"); err != nil {
			return nil, err
		}
		longer = append(longer, took.Wall)
	}
	name := l.machine + ": "
	a := measured(name+"stet build, store empty", "s", ours, 0)
	m := measured(name+"mmdebstrap, without initramfs", "s", theirs, 0)
	f := measured(name+"mmdebstrap, with its initramfs", "s", longer, 0)
	c := measured(name+"stet build, CPU time", "s", ourCPU, 0)
	d := measured(name+"mmdebstrap, CPU time", "s", theirCPU, 0)
	return []result{
		a, m, ratio(name+"stet / mmdebstrap", a, m, fraction),
		f, ratio(name+"stet / mmdebstrap with initramfs", a, f, 0),
		c, d, ratio(name+"CPU time, stet / mmdebstrap", c, d, 0),
		measured(name+"peak memory of stet build", "MB", memory, memoryLimit),
	}, nil
}

// beside runs mmdebstrap once, and makes sure that both built the same set.
func (a *archive) beside(ctx context.Context, l *lab, target string) (spent, error) {
	unix.Sync()
	took, err := a.mmdebstrap(ctx, target)
	if err != nil {
		return spent{}, err
	}
	return took, same(l, target)
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
	// In a mount namespace of its own: whatever ends it, none of its mounts stays
	// behind for removeAll to walk into.
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "mmdebstrap"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	// Maintainer scripts find their programs where Debian has them.
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8")
	took, _, err := measure(cmd)
	if _, missing := exec.LookPath("mmdebstrap"); missing != nil {
		return took, fmt.Errorf("%w: apt-get install mmdebstrap", missing)
	}
	return took, err
}

// same makes sure that mmdebstrap installed what is locked.
func same(l *lab, target string) error {
	status, err := os.ReadFile(filepath.Join(target, "var/lib/dpkg/status"))
	if err != nil {
		return err
	}
	if have, want := strings.Count(string(status), "Status: install ok installed\n"), len(l.lock.Machines[l.machine].Packages); have != want {
		return fmt.Errorf("mmdebstrap installed %d packages of %s, not %d", have, l.machine, want)
	}
	return nil
}

// unchanged builds again what is built.
func (b *bench) unchanged(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	say("build again what is built")
	if _, _, err := b.runStet(ctx, l.repository, l.store, "build"); err != nil {
		return nil, err
	}
	var times []float64
	for range 10 {
		took, _, err := b.runStet(ctx, l.repository, l.store, "build")
		if err != nil {
			return nil, err
		}
		times = append(times, took.Wall)
	}
	return []result{measured("stet build, nothing changed", "s", times, 0.1)}, nil
}
