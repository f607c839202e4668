//go:build long

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stet/internal/boot"
	"stet/internal/fault"
	"stet/test/chance"
)

// TestKilledBuilds kills a build at each point, one after the other in the same
// store. In the end it gives the same system as one that nobody killed.
func TestKilledBuilds(t *testing.T) {
	h := newHost(t)
	h.declare(t, "first")
	for _, p := range where[t.Name()] {
		if !h.dies(t.Context(), t, p, "build") {
			t.Errorf("nothing came to %q", p)
		}
	}
	have := h.Build(t).Digest
	h.Must(t, "verify")
	h.isTidy(t)
	other := newWarmHost(t)
	other.declare(t, "first")
	if want := other.Build(t).Digest; have != want {
		t.Errorf("the system is %s, want %s", have, want)
	}
}

// TestKilledImages kills stet image: the file is not there, or is the whole one.
func TestKilledImages(t *testing.T) {
	h := newWarmHost(t)
	dir := t.TempDir()
	want, path := filepath.Join(dir, "want.raw"), filepath.Join(dir, "image.raw")
	h.Must(t, "image", "-o", want)
	for _, p := range where[t.Name()] {
		if !h.dies(t.Context(), t, p, "image", "-o", path) {
			t.Errorf("nothing came to %q", p)
		}
		if _, err := os.Stat(path); err == nil {
			same(t, want, path)
		}
		h.Must(t, "image", "-o", path)
		same(t, want, path)
		noHidden(t, dir)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	h.isTidy(t)
}

// modules are some of the kernel, by which initrds differ.
var modules = []string{"dummy", "tun", "veth", "vxlan"}

// TestKilledStaging kills stet boot and stet gc: the old generation starts or the
// new one, and what was killed just works the second time.
func TestKilledStaging(t *testing.T) {
	h := newWarmHost(t)
	h.declare(t, "first")
	h.Must(t, "boot", "--esp", h.esp)
	old := h.Build(t).Digest
	h.expectOne(t, "staged", old)
	for i, p := range where[t.Name()] {
		// Each time a new system, with another initrd than those before.
		h.declare(t, fmt.Sprint("staged ", i), modules[i%len(modules)])
		next := h.Build(t).Digest
		if p == fault.KernelPlaced { // all have the same one
			removeAll(t, filepath.Join(h.esp, boot.BlobsDir, "kernel-*"))
		}
		staging := h.dies(t.Context(), t, p, "boot", "--esp", h.esp)
		if staging {
			h.expectOne(t, string(p), old, next)
			h.Must(t, "boot", "--esp", h.esp)
		}
		h.expectOne(t, string(p)+", and then once more", next)
		old = next
		if h.dies(t.Context(), t, p, "gc", "--keep", "2", "--esp", h.esp) {
			h.expectOne(t, string(p)+" in a collection", old)
		} else if !staging {
			t.Errorf("nothing came to %q", p)
		}
		h.collected(t)
		h.expectOne(t, string(p)+", and a whole collection", old)
	}
	h.Must(t, "verify")
}

func TestKilledAtRandom(t *testing.T) {
	n := chance.Rounds(t, 12)
	dice := chance.Dice(t)
	h := newWarmHost(t)
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
