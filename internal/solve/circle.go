package solve

import (
	"slices"
	"strings"

	"stet/internal/debian"
)

// CircleError says that packages pre-depend on each other in a circle, so that
// none of them can be the first to be unpacked (Debian Policy 7.2).
type CircleError struct{ Packages []debian.Package }

func (e *CircleError) Error() string {
	var b strings.Builder
	for i := range e.Packages {
		next := &e.Packages[(i+1)%len(e.Packages)]
		b.WriteString(label(&e.Packages[i]) + " " + verb(PreDepends) + " " + next.Name + "; ")
	}
	return b.String() + "in a circle none can be unpacked first"
}

// circle looks for Pre-Depends that go round among the kept packages.
func (p *problem) circle(kept []bool) error {
	ready := make([]bool, len(kept)) // can be unpacked, in some order
	for more := true; more; {
		more = false
		for v := range kept {
			if kept[v] && !ready[v] && p.waitsFor(int32(v), kept, ready) < 0 {
				ready[v], more = true, true
			}
		}
	}
	stuck := int32(0)
	for int(stuck) < len(kept) && (!kept[stuck] || ready[stuck]) {
		stuck++
	}
	if int(stuck) == len(kept) {
		return nil
	}
	var way []int32
	for !slices.Contains(way, stuck) {
		way = append(way, stuck)
		stuck = p.waitsFor(stuck, kept, ready)
	}
	e := &CircleError{}
	for _, v := range way[slices.Index(way, stuck):] {
		e.Packages = append(e.Packages, *p.pkg(v))
	}
	return e
}

// waitsFor gives a kept package that v pre-depends on and that is not ready, or
// -1 when there is none.
func (p *problem) waitsFor(v int32, kept, ready []bool) int32 {
	for _, d := range p.demands[p.first[v]:p.first[v+1]] {
		met := func(c int32) bool { return kept[c] && (ready[c] || c == v) }
		if d.kind != PreDepends || slices.ContainsFunc(d.choices, met) {
			continue
		}
		if i := slices.IndexFunc(d.choices, func(c int32) bool { return kept[c] }); i >= 0 {
			return d.choices[i]
		}
	}
	return -1
}
