package solve

import (
	"cmp"
	"slices"
	"strings"

	"stet/internal/similar"
)

// similar lists up to three names of real packages that look like a mistyped
// one, best first. A name that it begins, as "firefox" begins "firefox-esr", is best.
func (p *problem) similar(mistyped string) []string {
	type near struct {
		name     string
		distance int
	}
	limit := max(1, len(mistyped)/3)
	var found []near
	for s := range p.allNames() {
		if s == mistyped {
			continue
		}
		d := limit + 1
		if max(len(s)-len(mistyped), len(mistyped)-len(s)) <= limit { // spares 70,000 names the counting
			d = similar.Distance(s, mistyped)
		}
		if len(mistyped) >= 4 && strings.HasPrefix(s, mistyped+"-") {
			d = 0
		}
		if d <= limit {
			found = append(found, near{s, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	found = slices.Compact(found) // several catalogs may have a name
	var names []string
	for _, f := range found[:min(3, len(found))] {
		if f.distance <= found[0].distance+1 { // beside a near name a far one only confuses
			names = append(names, f.name)
		}
	}
	return names
}
