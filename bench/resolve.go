package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/mirror"
	"stet/internal/solve"
	"stet/test/apt"
)

// indexFile is trixie's main for amd64 as the archive has it; `make bench`
// fetches it.
const indexFile = ".cache/trixie/main-amd64"

// Both desktops together with all they recommend: about 3,000 packages.
var desktops = []string{"systemd-sysv", "task-gnome-desktop", "task-kde-desktop", "linux-image-amd64"}

// The promises for resolving both desktops, in seconds and MB.
const (
	resolveParsedLimit  = 0.6
	resolveCachedLimit  = 0.1
	resolveMemoryLimit  = 500
	resolveRunsPerRound = 5
)

// resolved is what one resolving took, in a process of its own as `stet lock`
// is one.
type resolved struct {
	Seconds  float64
	Packages int
}

// resolve tells how long resolving both desktops takes, from the decompressed
// index and from the parsed one that is kept, in turns with apt's simulation.
func (b *bench) resolve(ctx context.Context) ([]result, error) {
	index, err := filepath.Abs(indexFile)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(index)
	if err != nil {
		return nil, fmt.Errorf("%w: run \"make %s\"", err, indexFile)
	}
	packages, err := debian.ParsePackages(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	names := slices.Clone(desktops)
	for _, p := range packages {
		if p.Essential || p.Priority == "required" || p.Priority == "important" {
			names = append(names, p.Name)
		}
	}
	peer, err := apt.New(filepath.Join(b.dir, "resolve-apt"), index)
	if err != nil {
		return nil, err
	}
	cache := filepath.Join(b.dir, "resolve-cache")
	if _, _, err := b.resolveOnce(ctx, "cached", cache); err != nil { // fetches the index
		return nil, err
	}
	var parsed, cached, theirs, memory []float64
	var ours resolved
	var others int
	for i := range b.runs {
		say("resolve, run %d of %d", i+1, b.runs)
		begin := time.Now()
		set, complaint := peer.Install(names, true)
		if set == nil {
			return nil, errors.New(complaint)
		}
		theirs, others = append(theirs, time.Since(begin).Seconds()), len(set)
		for range resolveRunsPerRound {
			for how, into := range map[string]*[]float64{index: &parsed, "cached": &cached} {
				took, peak, err := b.resolveOnce(ctx, how, cache)
				if err != nil {
					return nil, err
				}
				*into, memory, ours = append(*into, took.Seconds), append(memory, peak), took
			}
		}
	}
	say("resolve: %d packages, apt %d", ours.Packages, others)
	a, c, p := measured("resolve both desktops: apt-get install --print-uris", "s", theirs, 0),
		measured("resolve both desktops, from the parsed index that is kept", "s", cached, resolveCachedLimit),
		measured("resolve both desktops, from the decompressed index", "s", parsed, resolveParsedLimit)
	return []result{p, c, a, ratio("resolve both desktops, kept index: ratio to apt-get", c, a, 0),
		measured("resolve both desktops: peak memory", "MB", memory, resolveMemoryLimit)}, nil
}

// resolveOnce runs this program as resolveAlone.
func (b *bench) resolveOnce(ctx context.Context, how, cache string) (resolved, float64, error) {
	self, err := os.Executable()
	if err != nil {
		return resolved{}, 0, err
	}
	took, out, err := measure(exec.CommandContext(ctx, self, resolveAloneCommand, how, cache))
	if err != nil {
		return resolved{}, 0, err
	}
	var r resolved
	err = json.NewDecoder(strings.NewReader(out)).Decode(&r)
	return r, took.Memory, err
}

// resolveAloneCommand is the first argument of a process that resolves once.
const resolveAloneCommand = "resolve-alone"

// resolveAlone resolves once, and prints how long that took: reading the index,
// from memory or from the cache, and solving. What comes before is no part of
// the promise: asking for the Release, reading the decompressed file.
func resolveAlone(ctx context.Context, how, cache string) error {
	var read func() (*catalog.Catalog, error)
	if how == "cached" {
		client, err := mirror.New(mirror.Options{
			Sources: mirror.Sources{Environment: os.Getenv("STET_MIRROR"), Host: os.DirFS("/"), Snapshot: mirror.SnapshotURL},
			Cache:   cache,
		})
		if err != nil {
			return err
		}
		release, err := client.Release(ctx, mirror.Archive{Name: "debian", Suite: "trixie"}, time.Now())
		if err != nil {
			return err
		}
		read = func() (*catalog.Catalog, error) { return client.Index(ctx, release, "main", "amd64") }
	} else {
		text, err := os.ReadFile(how)
		if err != nil {
			return err
		}
		read = func() (*catalog.Catalog, error) {
			packages, err := debian.ParsePackages(bytes.NewReader(text))
			return catalog.New(packages), err
		}
	}
	request := solve.Request{
		Architecture: "amd64", Essential: true, Priorities: []string{"required", "important"}, Recommends: true,
	}
	for _, name := range desktops {
		request.Wants = append(request.Wants, solve.Want{Name: name})
	}
	begin := time.Now()
	index, err := read()
	if err != nil {
		return err
	}
	solution, err := solve.Solve(solve.NewUniverse(solve.Group{Catalogs: []*catalog.Catalog{index}}), request)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(resolved{time.Since(begin).Seconds(), len(solution.Packages)})
}
