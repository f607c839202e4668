package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// leafLimit is what one package more is promised to take, in seconds, beside what its
// own script takes that somebody wrote by hand.
const leafLimit = 2

// leaves are packages that nothing else needs: one without scripts, one with those that
// debhelper(7) writes, one with a script of its own.
var leaves = []struct {
	name, kind string
	byHand     bool
}{
	{"ncdu", "without scripts", false},
	{"earlyoom", "a daemon", false},
	{"plocate", "with a script by hand", true},
}

// leaf builds the large server with one package more, in a store that has it as it was.
// What is locked is locked before, and fetched.
func (b *bench) leaf(ctx context.Context) ([]result, error) {
	l, err := b.largeServer(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := b.runStet(ctx, l.repository, l.store, "build"); err != nil {
		return nil, err
	}
	base := filepath.Join(b.dir, "leaf.base")
	if err := linked(ctx, base, l.store); err != nil {
		return nil, err
	}
	var more []*lab
	for _, leaf := range leaves {
		text := strings.Replace(readText(largeConfiguration), "\npackages:\n", "\npackages:\n  - "+leaf.name+"\n", 1)
		with, err := b.changed(ctx, l, "leaf-"+leaf.name, text)
		if err != nil {
			return nil, err
		}
		more = append(more, with)
	}
	took, beside := make([][]float64, len(leaves)), make([][]float64, len(leaves))
	for run := range b.runs {
		for i, leaf := range leaves {
			say("one package more, run %d of %d: %s", run+1, b.runs, leaf.name)
			store := filepath.Join(b.dir, fmt.Sprint("leaf-", leaf.name, "-", run))
			if err := errors.Join(linked(ctx, store, base), linkDebs(store, l.store)); err != nil {
				return nil, err
			}
			trace := store + ".json"
			spent, _, err := b.runStet(ctx, more[i].repository, store, "build", "--trace", trace)
			if err != nil {
				return nil, err
			}
			took[i] = append(took[i], spent.Wall)
			if leaf.byHand {
				script, err := scriptTime(trace, leaf.name)
				if err != nil {
					return nil, err
				}
				beside[i] = append(beside[i], spent.Wall-script)
			}
		}
	}
	var all []result
	for i, leaf := range leaves {
		name := fmt.Sprintf("server-large: one package more, %s (%s)", leaf.kind, leaf.name)
		if leaf.byHand {
			all = append(all, measured(name, "s", took[i], 0), measured(name+", beside its script", "s", beside[i], leafLimit))
		} else {
			all = append(all, measured(name, "s", took[i], leafLimit))
		}
	}
	return all, nil
}

// linked makes a store that shares its files with another one: no program writes into
// those that are there.
func linked(ctx context.Context, to, from string) error {
	_, _, err := measure(exec.CommandContext(ctx, "cp", "--archive", "--link", from, to))
	unix.Sync()
	return err
}

// scriptTime is how long the scripts of one package ran, by the trace of a build
// (docs/formats/graph.md), in seconds.
func scriptTime(trace, name string) (float64, error) {
	text, err := os.ReadFile(trace)
	if err != nil {
		return 0, err
	}
	var events struct {
		TraceEvents []struct {
			Name     string  `json:"name"`
			Category string  `json:"cat"`
			Duration float64 `json:"dur"` // microseconds
		} `json:"traceEvents"`
	}
	if err := json.Unmarshal(text, &events); err != nil {
		return 0, fmt.Errorf("read %s: %w", trace, err)
	}
	var seconds float64
	for _, e := range events.TraceEvents {
		if _, of, _ := strings.Cut(e.Name, " "); e.Category == "script" && of == name {
			seconds += e.Duration / 1e6
		}
	}
	if seconds == 0 {
		return 0, fmt.Errorf("%s has no script of %s: name a package in bench/leaf.go that has one", trace, name)
	}
	return seconds, nil
}
