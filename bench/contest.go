package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/unpack"
)

// server190 builds the server with Stet and with all that make a root of packages.
func (b *bench) server190(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	with, err := b.withInitramfs(ctx)
	if err != nil {
		return nil, err
	}
	peers, err := b.bootstrappers(l, with)
	if err != nil {
		return nil, err
	}
	peers[0].fraction = serverFraction
	container, err := b.buildah(ctx, l, peers[0].archive)
	if err != nil {
		return nil, err
	}
	peers = append(peers, b.debootstrap(l, peers[0].archive), container)
	return b.contest(ctx, l, memoryLimit, peers)
}

// serverLarge builds the example of about 650 packages with Stet and with mmdebstrap.
func (b *bench) serverLarge(ctx context.Context) ([]result, error) {
	l, err := b.largeServer(ctx)
	if err != nil {
		return nil, err
	}
	with, err := b.locked(ctx, "server-large-initramfs", strings.Replace(readText(largeConfiguration), "\npackages:\n", "\npackages:\n  - initramfs-tools\n", 1))
	if err != nil {
		return nil, err
	}
	peers, err := b.bootstrappers(l, with)
	if err != nil {
		return nil, err
	}
	peers[0].fraction, peers[0].imported = largeFraction, importedFraction
	return b.contest(ctx, l, largeMemoryLimit, peers)
}

// The promised parts of mmdebstrap's time without an initramfs: with a store that is
// empty, and of the large server with one in which all is imported.
const (
	serverFraction   = 1.0 / 3
	largeFraction    = 1.0 / 3
	importedFraction = 1.0 / 4
)

// peer makes what a lock says with another program.
type peer struct {
	name     string // of its ratio
	how      string // of its time
	archive  *archive
	fraction float64 // the promised part of its time; 0 where there is none
	imported float64 // the same, for a build with all packages imported; 0: not compared
	// build makes a root file system of its own, for the run of that number.
	build func(ctx context.Context, run int) (spent, error)
}

// contest builds a machine with Stet and with its peers, in turns, from packages that
// are there.
func (b *bench) contest(ctx context.Context, l *lab, memoryLimit float64, peers []peer) ([]result, error) {
	var ours, imported series
	theirs := make([]series, len(peers))
	for i := range b.runs {
		// Nothing is removed before the end: see keepApart.
		store := filepath.Join(b.dir, fmt.Sprint(l.machine, ".built-", i))
		say("%s, run %d of %d: stet", l.machine, i+1, b.runs)
		if err := emptyStore(store, l.store); err != nil {
			return nil, err
		}
		took, _, err := b.runStet(ctx, l.repository, store, "build")
		if err != nil {
			return nil, err
		}
		ours.add(took)
		say("%s, run %d of %d: stet, all imported", l.machine, i+1, b.runs)
		if err := forget(store); err != nil {
			return nil, err
		}
		if took, _, err = b.runStet(ctx, l.repository, store, "build"); err != nil {
			return nil, err
		}
		imported.add(took)
		for j, p := range peers {
			say("%s, run %d of %d: %s", l.machine, i+1, b.runs, p.name)
			if took, err = p.build(ctx, i); err != nil {
				return nil, err
			}
			theirs[j].add(took)
		}
	}
	return compared(l.machine+": ", ours, imported, memoryLimit, peers, theirs), nil
}

// forget has a store remember nothing but which packages are imported.
func forget(store string) error {
	memo := filepath.Join(store, "memo")
	stages, err := os.ReadDir(memo)
	if err != nil {
		return err
	}
	for _, stage := range stages {
		if stage.Name() == unpack.Stage {
			continue
		}
		if err := removeAll(filepath.Join(memo, stage.Name())); err != nil {
			return err
		}
	}
	return nil
}

// series are several runs of one thing.
type series struct{ wall, cpu, memory []float64 }

func (s *series) add(took spent) {
	s.wall, s.cpu, s.memory = append(s.wall, took.Wall), append(s.cpu, took.CPU), append(s.memory, took.Memory)
}

// compared are the results of a contest: first all times, then what they cost.
func compared(prefix string, ours, imported series, memoryLimit float64, peers []peer, theirs []series) []result {
	took := measured(prefix+"stet build, store empty", "s", ours.wall, 0)
	again := measured(prefix+"stet build, import done", "s", imported.wall, 0)
	cost := measured(prefix+"stet build, CPU time", "s", ours.cpu, 0)
	times, costs := []result{took, again}, []result{cost}
	memory := []result{measured(prefix+"peak memory of stet build", "MB", ours.memory, memoryLimit)}
	for i, p := range peers {
		t := measured(prefix+p.how, "s", theirs[i].wall, 0)
		c := measured(prefix+p.name+", CPU time", "s", theirs[i].cpu, 0)
		times = append(times, t, ratio(prefix+"stet / "+p.name, took, t, p.fraction))
		if p.imported > 0 {
			times = append(times, ratio(prefix+"import done, stet / "+p.name, again, t, p.imported))
		}
		costs = append(costs, c)
		if p.fraction > 0 { // the others' is beside it in the table
			costs = append(costs, ratio(prefix+"CPU time, stet / "+p.name, cost, c, 0))
		}
		memory = append(memory, measured(prefix+"peak memory of "+p.name, "MB", theirs[i].memory, 0))
	}
	return slices.Concat(times, costs, memory)
}
