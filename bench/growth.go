package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// linear is how much longer each file of the largest machine may take than each file of
// the server, before it is said that a build grows faster than its files. Two runs of
// one machine differ by a tenth.
const linear = 1.1

// longBuild is what is done once only, in seconds.
const longBuild = 120

// grown are the machines that are built to see what a build grows with, the smallest
// first. The last has all of both desktops: no machine that Debian offers has more.
var grown = []struct{ name, example, from, to string }{
	{name: "minimal", example: "examples/minimal"},
	{name: machineName, example: "bench/" + machineName},
	{name: "server-large", example: "examples/server-large"},
	{name: "desktop-gnome", example: "examples/desktop-gnome"},
	{name: "desktop-kde", example: "examples/desktop-kde"},
	{name: "both-desktops", example: "examples/desktop-gnome", from: "[task-gnome-desktop]", to: "[task-gnome-desktop, task-kde-desktop]"},
}

// What the rows of a machine's growth are called, before and behind its name. The
// picture finds them by these.
const (
	growthOf       = "growth, "
	growthPackages = ": packages"
	growthFiles    = ": files"
	growthSeconds  = ": stet build, store empty"
	growthMemory   = ": peak memory"
)

// growth builds machines of all sizes with an empty store, one after the other.
func (b *bench) growth(ctx context.Context) ([]result, error) {
	var all []result
	perFile := map[string]float64{}
	for i, g := range grown {
		text, err := os.ReadFile(filepath.Join(g.example, "stet.yaml"))
		if err != nil {
			return nil, err
		}
		l, err := b.locked(ctx, "growth-"+g.name, strings.Replace(string(text), g.from, g.to, 1))
		if err != nil {
			return nil, err
		}
		rows, err := b.grow(ctx, g.name, l)
		if err != nil {
			return nil, err
		}
		files, seconds := rows[1].Median, rows[2].Median
		perFile[g.name] = seconds / files
		all = append(all, rows...)
		if i+1 < len(grown) {
			if err := b.settle(ctx, "growth-"+g.name+"*"); err != nil {
				return nil, err
			}
		}
	}
	largest := grown[len(grown)-1].name
	return append(all, measured(fmt.Sprintf("growth: seconds for a file, %s / %s", largest, machineName), "",
		[]float64{perFile[largest] / perFile[machineName]}, linear)), nil
}

// grow builds one machine some times.
func (b *bench) grow(ctx context.Context, name string, l *lab) ([]result, error) {
	var took series
	var files int
	for run := range b.runs {
		if run > 0 && took.wall[0] > longBuild {
			break
		}
		say("growth, %s, run %d", name, run+1)
		dir := filepath.Join(b.dir, fmt.Sprint("growth-", name, ".built-", run))
		if err := emptyStore(dir, l.store); err != nil {
			return nil, err
		}
		spent, out, err := b.runStet(ctx, l.repository, dir, "--json", "build")
		if err != nil {
			return nil, err
		}
		took.add(spent)
		if files, err = countFiles(dir, out); err != nil {
			return nil, err
		}
	}
	limit := float64(largeMemoryLimit)
	if name == machineName {
		limit = memoryLimit
	}
	packages := len(l.lock.Machines[l.machine].Packages)
	return []result{
		measured(growthOf+name+growthPackages, "", []float64{float64(packages)}, 0),
		measured(growthOf+name+growthFiles, "", []float64{float64(files)}, 0),
		measured(growthOf+name+growthSeconds, "s", took.wall, 0),
		measured(growthOf+name+growthMemory, "MB", took.memory, limit),
	}, nil
}

// countFiles counts the regular files of a system that a build tells of.
func countFiles(dir, told string) (int, error) {
	var built struct {
		Trees map[string]string `json:"trees"`
	}
	if err := json.Unmarshal([]byte(told), &built); err != nil {
		return 0, err
	}
	s, err := store.Open(dir)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	files := 0
	for _, digest := range built.Trees {
		t, err := s.Tree(digest)
		if err != nil {
			return 0, err
		}
		for e := range t.All() {
			if e.Type == tree.Regular {
				files++
			}
		}
	}
	return files, nil
}
