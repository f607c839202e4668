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

// server190 builds the server with both, in turns, from packages that are
// there.
func (b *bench) server190(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	archive, err := b.archive("archive", l)
	if err != nil {
		return nil, err
	}
	var ours, theirs, ourCPU, theirCPU, memory []float64
	for i := range b.runs {
		// Nothing is removed before the end: ext4 passes over inodes that were
		// freed in the last minutes, one by one, and the next run would pay.
		store, target := filepath.Join(b.dir, fmt.Sprint("built-", i)), filepath.Join(b.dir, fmt.Sprint("target-", i))
		say("server190, run %d of %d: stet", i+1, b.runs)
		if err := emptyStore(store, l.store); err != nil {
			return nil, err
		}
		took, _, err := b.runStet(ctx, l.repository, store, "build")
		if err != nil {
			return nil, err
		}
		ours, ourCPU, memory = append(ours, took.wall), append(ourCPU, took.cpu), append(memory, took.memory)

		say("server190, run %d of %d: mmdebstrap", i+1, b.runs)
		unix.Sync()
		if took, err = archive.mmdebstrap(ctx, target); err != nil {
			return nil, err
		}
		theirs, theirCPU = append(theirs, took.wall), append(theirCPU, took.cpu)
		if err := same(l, target); err != nil {
			return nil, err
		}
	}
	a := measured("server190: stet build, store empty", "s", ours, 0)
	m := measured("server190: mmdebstrap, without initramfs", "s", theirs, 0)
	c := measured("server190: stet build, CPU time", "s", ourCPU, 0)
	d := measured("server190: mmdebstrap, CPU time", "s", theirCPU, 0)
	return []result{
		a, m, ratio("server190: stet / mmdebstrap", a, m, 0.5),
		c, d, ratio("server190: CPU time, stet / mmdebstrap", c, d, 0),
		measured("server190: peak memory of stet build", "MB", memory, memoryLimit),
	}, nil
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

// same makes sure that both built the same set of packages.
func same(l *lab, target string) error {
	status, err := os.ReadFile(filepath.Join(target, "var/lib/dpkg/status"))
	if err != nil {
		return err
	}
	if have, want := strings.Count(string(status), "Status: install ok installed\n"), len(l.lock.Machines[machineName].Packages); have != want {
		return fmt.Errorf("mmdebstrap installed %d packages, stet %d", have, want)
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
		times = append(times, took.wall)
	}
	return []result{measured("stet build, nothing changed", "s", times, 0.1)}, nil
}
