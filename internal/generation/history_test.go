package generation

import (
	"slices"
	"strings"
	"testing"
)

func history() History {
	other := strings.Repeat("b", 64)
	return History{Generations: []Generation{
		{Record: Record{Number: 1, System: system}, Good: true},
		{Record: Record{Number: 2, System: other}, Good: true, Failed: "it was taken back"},
		{Record: Record{Number: 3, System: system}},
		{Record: Record{Number: 5, System: other}, Pinned: true},
	}}
}

func TestStates(t *testing.T) {
	s := Standing{Booted: 1, Running: 3, Default: 5, GivenUp: map[int]bool{3: true}}
	want := [][]string{{"booted", "good"}, {"good", "failed"}, {"running", "failed"}, {"default", "pinned"}}
	for i, g := range history().Generations {
		if got := g.States(s); !slices.Equal(got, want[i]) {
			t.Errorf("generation %d is %v, want %v", g.Number, got, want[i])
		}
	}
}

func TestLastGoodIsTheNewestThatDidNotFail(t *testing.T) {
	if got := history().LastGood(Standing{}); got != 1 {
		t.Errorf("it is %d", got)
	}
	if got := history().LastGood(Standing{GivenUp: map[int]bool{1: true}}); got != 0 {
		t.Errorf("it is %d, which has no tries left", got)
	}
}

func TestProven(t *testing.T) {
	h := history()
	if !h.Proven(system) || h.Proven(strings.Repeat("b", 64)) {
		t.Error("a system is proven when one of its generations is good and did not fail")
	}
}

func TestRunningAfterASwitch(t *testing.T) {
	h := history()
	for _, c := range []struct {
		booted int
		system string
		want   int
	}{
		{1, system, 1},                  // the one that was booted
		{2, system, 3},                  // the newest that a switch can have made
		{9, strings.Repeat("c", 64), 0}, // nobody knows
		{5, strings.Repeat("b", 64), 5}, //
		{1, h.Generations[1].System, 5}, //
		{0, strings.Repeat("c", 64), 0}, //
		{2, h.Generations[1].System, 2}, //
	} {
		if got := h.RunningAs(c.booted, c.system); got != c.want {
			t.Errorf("booted %d, mounted %.4s: %d runs, want %d", c.booted, c.system, got, c.want)
		}
	}
}
