//go:build long

package ordinary_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"stet/internal/build"
	"stet/test/chance"
	"stet/test/example"
	"stet/test/program"
)

// TestExamplesAreTheSameAsRoots builds examples as a user, twice, the second time in
// another order: of the large ones, which take minutes, one for every two rounds.
func TestExamplesAreTheSameAsRoots(t *testing.T) {
	dice := chance.Dice(t)
	large := chance.Some(dice, example.Large, chance.Rounds(t, 6)/2)
	seed := 1 + dice.Uint64N(1<<32)
	for _, name := range slices.Concat(example.Names, large) {
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
