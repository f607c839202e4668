//go:build long

package twice_test

import (
	"maps"
	"slices"
	"testing"

	"stet/test/chance"
	"stet/test/example"
	"stet/test/program"
)

// ownMemory is what a build of a desktop may take, in bytes.
const ownMemory = 500 << 20

// The large examples build to their goldens, and to the same again: one of them at
// first and one more for every two rounds, because each takes minutes.
func TestLargeExamplesAreTheSameTwice(t *testing.T) {
	again := chance.Some(chance.Dice(t), example.Large, (chance.Rounds(t, 6)+1)/2)
	for _, name := range append([]string{"minimal"}, example.Large...) {
		t.Run(name, func(t *testing.T) {
			p := program.Example(t, name)
			r := p.Must(t, "build", "--json")
			t.Logf("%.0f s, %d MB", r.Took.Seconds(), r.Memory>>20)
			if r.Memory > ownMemory {
				t.Errorf("the build took %d MB", r.Memory>>20)
			}
			golden, err := example.ReadGolden(name)
			if err != nil {
				t.Fatal(err)
			}
			_, relocked, err := example.Prepare(t.Context(), p.Path, name)
			if err != nil {
				t.Fatal(err)
			}
			if built := p.Build(t); !relocked && !maps.Equal(built.Trees, golden.Trees) {
				t.Errorf("examples/%s builds to\n  %v\nbut its goldens are\n  %v\nIf that is meant, `make relock` renews them", name, built.Trees, golden.Trees)
			}
			if name == "minimal" || slices.Contains(again, name) {
				isTheSameTwice(t, p)
			}
		})
	}
}
