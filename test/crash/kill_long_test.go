//go:build long

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/fault"
)

// commands are what changes a store or an ESP, each with the points that it is
// known to reach. A point that no command reaches fails the test of points.
func TestKilledAtEveryPoint(t *testing.T) {
	h := newHost(t)
	reached := map[fault.Point]bool{}
	forever := t.Context()

	// A build that dies at each point, one after the other in the same store,
	// comes to the same system in the end.
	h.declare(t, "first")
	for _, p := range fault.Points() {
		if h.dies(forever, t, p, "build") {
			reached[p] = true
		}
	}
	old := h.Build(t).Digest
	h.Must(t, "verify")

	// Images: the file is not there, or is the whole one.
	dir := t.TempDir()
	want := filepath.Join(dir, "want.raw")
	h.Must(t, "image", "-o", want)
	for _, p := range fault.Points() {
		path := filepath.Join(dir, "image.raw")
		if !h.dies(forever, t, p, "image", "-o", path) {
			continue
		}
		reached[p] = true
		if _, err := os.Stat(path); err == nil && p != fault.ImageNamed {
			t.Errorf("%s: there is an image already", p)
		}
		h.Must(t, "image", "-o", path)
		same(t, want, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	noHidden(t, dir)

	// Staging: each time a new system, so that each time everything is done.
	h.Must(t, "boot", "--esp", h.esp)
	h.expectOne(t, "staged", old)
	for i, p := range fault.Points() {
		h.declare(t, fmt.Sprint("staged ", i))
		next := h.Build(t).Digest
		if h.dies(forever, t, p, "boot", "--esp", h.esp) {
			reached[p] = true
			h.expectOne(t, string(p), old, next)
			h.Must(t, "boot", "--esp", h.esp)
		}
		h.expectOne(t, string(p)+", and then once more", next)
		old = next
		if h.dies(forever, t, p, "gc", "--keep", "2", "--esp", h.esp) {
			reached[p] = true
			h.expectOne(t, string(p)+" in a collection", old)
			h.Must(t, "gc", "--keep", "2", "--esp", h.esp)
			h.expectOne(t, string(p)+", and a whole collection", old)
		}
		h.collected(t)
	}
	h.Must(t, "verify")

	for _, p := range fault.Points() {
		switch room, _, _ := strings.Cut(string(p), ":"); {
		case reached[p], room == "init": // PID 1 is killed by cutting the power
		case p == fault.GenerationMarked, p == fault.EntryBlessed, p == fault.PartitionGrew, p == fault.StoreGrew, p == fault.UpperRemoved:
			// Only a machine that runs comes there: see the cuts.
		default:
			t.Errorf("no command came to %q", p)
		}
	}
}

func TestKilledAtRandom(t *testing.T) {
	n := rounds(t, 12)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	h := newHost(t)
	h.declare(t, "first")
	h.Must(t, "boot", "--esp", h.esp)
	old, _ := starts(t, h.esp, h.store)
	image := filepath.Join(t.TempDir(), "image.raw")

	// How long each takes says between which moments a kill can fall.
	took := map[string]time.Duration{}
	args := map[string][]string{
		"build": {"build"}, "boot": {"boot", "--esp", h.esp}, "gc": {"gc", "--keep", "2", "--esp", h.esp}, "image": {"image", "-o", image},
	}
	kills := 0
	for round := range n + 1 {
		h.declare(t, fmt.Sprint("round ", round))
		for _, name := range []string{"build", "boot", "gc", "image"} {
			if round > 0 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(dice.Int64N(int64(took[name])*11/10+1)))
				if h.dies(ctx, t, "", args[name]...) {
					kills++
				}
				cancel()
			}
			next := ""
			if name != "build" { // what a killed one did not come to is done now
				next = h.Build(t).Digest
				h.expectOne(t, fmt.Sprintf("round %d: %s killed", round, name), old, next)
			}
			begin := time.Now()
			h.Must(t, args[name]...)
			took[name] = max(took[name], time.Since(begin))
			if name == "boot" {
				old = next
			}
		}
		h.expectOne(t, fmt.Sprintf("round %d", round), old)
		h.collected(t)
		noHidden(t, filepath.Dir(image))
	}
	h.Must(t, "verify")
	t.Logf("%d of %d commands were killed; whole ones took %v", kills, 4*n, took)
}

// collected looks whether a collection has left anything to the next one.
func (h *host) collected(t *testing.T) {
	t.Helper()
	h.Must(t, "gc", "--keep", "2", "--esp", h.esp)
	var report struct {
		Systems, Images, Trees, Objects int
		Bytes                           int64
	}
	if err := json.Unmarshal([]byte(h.Must(t, "gc", "--keep", "2", "--esp", h.esp, "--dry-run", "--json").Stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Objects+report.Images+report.Trees+report.Systems > 0 || report.Bytes > 0 {
		t.Errorf("a collection left %+v to the next one", report)
	}
	h.isTidy(t)
}
