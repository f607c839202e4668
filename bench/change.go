package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/lock"
	"stet/internal/source"
)

// What a changed line is promised to take, in seconds: of one machine, and of each of
// several that share it.
const (
	lineLimit  = 0.5
	sharedLine = 0.3
	lineRuns   = 10
)

// line builds the server with another line in one of its files, each time another one.
func (b *bench) line(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	text := func(run int) string {
		return fmt.Sprintf("%s\nfiles:\n  /etc/motd: {text: \"line %d\\n\"}\n", configuration, run)
	}
	changed, err := b.changed(ctx, l, "line", text(0))
	if err != nil {
		return nil, err
	}
	if _, _, err := b.runStet(ctx, changed.repository, changed.store, "build"); err != nil {
		return nil, err
	}
	var times []float64
	for run := range lineRuns {
		say("one line, run %d of %d", run+1, lineRuns)
		if _, err := b.repository("line", text(run+1)); err != nil {
			return nil, err
		}
		took, _, err := b.runStet(ctx, changed.repository, changed.store, "build")
		if err != nil {
			return nil, err
		}
		times = append(times, took.Wall)
	}
	return []result{measured("one changed line of one file: stet build", "s", times, lineLimit)}, nil
}

// fleetRoles is where the twelve machines of the example share lines, and sharedText
// what all of them have a file of.
const (
	fleetExample = "examples/fleet"
	fleetRoles   = "roles.cue"
	sharedText   = "is written down."
)

// fleet builds all machines of the example with another line that they share.
func (b *bench) fleet(ctx context.Context) ([]result, error) {
	dir, store := filepath.Join(b.dir, "fleet"), filepath.Join(b.dir, "fleet.store")
	roles, err := os.ReadFile(filepath.Join(fleetExample, fleetRoles))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(roles), sharedText) {
		return nil, fmt.Errorf("%s/%s does not say %q any more", fleetExample, fleetRoles, sharedText)
	}
	// What the example has locked, mirrors may have dropped.
	if err := errors.Join(removeAll(dir), os.CopyFS(dir, os.DirFS(fleetExample)), os.Remove(filepath.Join(dir, lock.FileName)), source.Init(ctx, dir)); err != nil {
		return nil, err
	}
	say("lock the fleet")
	if _, _, err := b.runStet(ctx, dir, store, "lock"); err != nil {
		return nil, err
	}
	l := &lab{repository: dir}
	if err := l.read(); err != nil {
		return nil, err
	}
	machines := slices.Sorted(maps.Keys(l.lock.Machines))
	var times []float64
	for run := range b.runs + 1 {
		say("fleet, one shared line, run %d of %d", run, b.runs)
		text := strings.Replace(string(roles), sharedText, fmt.Sprintf("%s %d", sharedText, run), 1)
		if err := os.WriteFile(filepath.Join(dir, fleetRoles), []byte(text), 0o644); err != nil {
			return nil, err
		}
		var all float64
		for _, name := range machines {
			took, _, err := b.runStet(ctx, dir, store, "build", name)
			if err != nil {
				return nil, err
			}
			all += took.Wall
		}
		if run > 0 { // the first builds all of them
			times = append(times, all)
		}
	}
	name := fmt.Sprintf("one changed line that %d machines share: stet build of each", len(machines))
	return []result{measured(name, "s", times, sharedLine*float64(len(machines)))}, nil
}
