package generation

import (
	"cmp"
	"fmt"
	"slices"
)

// Next is the number of the generation that comes next. Numbers on the ESP
// count as well: of a generation that is gone, the entry may be left.
func (h History) Next(onESP ...int) int {
	newest := slices.Max(append(slices.Clone(onESP), 0))
	for _, g := range h.Generations {
		newest = max(newest, g.Number)
	}
	for _, d := range h.Damaged {
		newest = max(newest, d.Number)
	}
	return newest + 1
}

// Newest is the generation with the highest number.
func (h History) Newest() (Generation, bool) {
	if len(h.Generations) == 0 {
		return Generation{}, false
	}
	return h.Generations[len(h.Generations)-1], true
}

// Find gives the generation of a number; what is wrong with it, when it has
// none or a damaged one.
func (h History) Find(number int) (Generation, error) {
	i, found := slices.BinarySearchFunc(h.Generations, number, func(g Generation, n int) int { return cmp.Compare(g.Number, n) })
	if found {
		return h.Generations[i], nil
	}
	for _, d := range h.Damaged {
		if d.Number == number {
			return Generation{}, fmt.Errorf("generation %d is damaged: %w", number, d.Err)
		}
	}
	return Generation{}, fmt.Errorf("there is no generation %d", number)
}

// LastGood is the newest generation that is known to work; 0 when none is.
func (h History) LastGood(s Standing) int {
	for _, g := range slices.Backward(h.Generations) {
		if g.Good && g.Failed == "" && !s.GivenUp[g.Number] {
			return g.Number
		}
	}
	return 0
}

// Proven reports whether a system came up as one of the generations.
func (h History) Proven(system string) bool {
	return slices.ContainsFunc(h.Generations, func(g Generation) bool {
		return g.System == system && g.Good && g.Failed == ""
	})
}

// Standing is what a machine has to do with its generations now. 0 stands for
// none.
type Standing struct {
	Booted  int          // stet.generation= of the kernel command line
	Running int          // whose trees are mounted
	Default int          // whose entry the boot loader takes next
	GivenUp map[int]bool // whose entries have no tries left
}

// States names what a generation is, in the words of
// docs/formats/generation.md.
func (g Generation) States(s Standing) []string {
	states := []string{}
	for _, state := range []struct {
		name string
		is   bool
	}{
		{"booted", g.Number == s.Booted},
		{"running", g.Number == s.Running},
		{"default", g.Number == s.Default},
		{"good", g.Good},
		{"failed", g.Failed != "" || s.GivenUp[g.Number]},
		{"pinned", g.Pinned},
	} {
		if state.is {
			states = append(states, state.name)
		}
	}
	return states
}

// RunningAs tells which generation runs, when booted was booted and system is
// what is mounted: after a switch it is the newest of that system.
func (h History) RunningAs(booted int, system string) int {
	running := 0
	for _, g := range h.Generations {
		if g.System == system {
			running = g.Number
			if g.Number == booted {
				return booted
			}
		}
	}
	return running
}
