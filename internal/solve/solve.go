package solve

import (
	"cmp"
	"errors"
	"strings"
)

// ErrTooHard is returned when the search gave up; no archive of Debian comes
// near the bound.
var ErrTooHard = errors.New("the relations between the packages are too tangled to resolve")

// Solve finds the packages for req. The error is a *WantError, a
// *DependencyError, a *ConflictError or a *CircleError, several *WantError
// joined, or ErrTooHard.
func Solve(u *Universe, req Request) (*Solution, error) {
	p, err := newProblem(newView(u, req.Architecture), &req)
	if err != nil {
		return nil, err
	}
	all := make([]int, len(p.wishes))
	for i := range all {
		all[i] = i
	}
	s := newSearch(p, all)
	switch s.run() {
	case impossible:
		return nil, p.explain()
	case exhausted:
		return nil, ErrTooHard
	}
	kept := p.needed(s.installed)
	if err := p.circle(kept); err != nil {
		return nil, err
	}
	return p.solution(kept), nil
}

func compareWants(a, b Want) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.Because, b.Because))
}
