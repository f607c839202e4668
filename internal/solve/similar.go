package solve

import (
	"cmp"
	"slices"
	"strings"
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
	for s, n := range p.names {
		if len(n.real) == 0 || s == mistyped {
			continue
		}
		d := limit + 1
		if abs(len(s)-len(mistyped)) <= limit {
			d = distance(s, mistyped)
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
	var names []string
	for _, f := range found[:min(3, len(found))] {
		if f.distance <= found[0].distance+1 { // beside a near name a far one only confuses
			names = append(names, f.name)
		}
	}
	return names
}

func abs(n int) int { return max(n, -n) }

// distance is the number of letters to insert, delete, change or swap with
// their neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
