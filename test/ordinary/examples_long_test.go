//go:build long

package ordinary_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"stet/internal/build"
	"stet/test/example"
	"stet/test/program"
)

// TestExamplesAreTheSameAsRoots builds every example as a user, twice, the second
// time in another order. STET_SEED is the order.
func TestExamplesAreTheSameAsRoots(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("STET_SEED"), 10, 64)
	if err != nil || seed == 0 {
		seed = 1 + rand.Uint64N(1<<32)
	}
	t.Logf("STET_SEED=%d", seed)
	for _, name := range slices.Concat(example.Names, example.Large) {
		t.Run(name, func(t *testing.T) {
			p := program.Example(t, name)
			want := p.Build(t).Digest
			home := t.TempDir()
			store := filepath.Join(home, "store")
			giveDebs(t, p, store)
			p.Path = copied(t, p.Path, home)
			give(t, home)
			give(t, p.Dir)
			ada := as(p, home, "").With("STET_STORE=" + store)
			if made := ada.Build(t); made.Digest != want || made.Reused {
				t.Errorf("the user builds %s, root %s", made.Digest, want)
			}
			r := ada.Must(t, "build", "--twice", "--json", "--seed", strconv.FormatUint(seed, 10))
			var report struct {
				Twice struct {
					Same        bool
					Digest      string
					Differences []build.Difference
				}
			}
			if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
				t.Fatal(err)
			}
			if !report.Twice.Same || report.Twice.Digest != want {
				t.Errorf("the second time, the user builds %s: %v", report.Twice.Digest, report.Twice.Differences)
			}
			t.Logf("%s, after %.0f s and %d MB", report.Twice.Digest, r.Took.Seconds(), r.Memory>>20)
		})
	}
}
