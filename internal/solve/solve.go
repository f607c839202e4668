package solve

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// ErrTooHard is returned when the search gave up; no archive of Debian comes
// near the bound.
var ErrTooHard = errors.New("the relations between the packages are too tangled to resolve")

// Solve finds the packages for req. The error is a *WantError, a
// *DependencyError or a *ConflictError, several *WantError joined, or
// ErrTooHard.
func Solve(u *Universe, req Request) (*Solution, error) {
	p, err := newProblem(view{u, req.Architecture}, &req)
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
	return p.justify(all, s.installed), nil
}

func compareWants(a, b Want) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.Because, b.Because))
}

// justify walks from the wishes through what the search installed and keeps
// what it reaches, each with the first reason found: a wish before a
// dependency, that before a recommendation, the short way before the long one.
// Where several installed packages meet a demand, the best one counts, unless
// another is there already; so a choice that became needless is dropped.
func (p *problem) justify(wishes []int, installed func(int32) bool) *Solution {
	j := justification{problem: p, installed: installed, why: make([]*demand, len(p.vars))}
	for _, i := range wishes {
		j.take(&p.wishes[i])
	}
	for j.forced() || j.chosen() || j.recommended() {
	}
	slices.SortFunc(j.queue, func(a, b int32) int {
		p, q := p.pkg(a), p.pkg(b)
		return cmp.Or(cmp.Compare(p.Name, q.Name), cmp.Compare(p.Architecture, q.Architecture))
	})
	sol := &Solution{Packages: make([]Chosen, len(j.queue))}
	for i, v := range j.queue {
		d := j.why[v]
		c := &sol.Packages[i]
		c.Package = *p.pkg(v)
		c.Reason = Reason{Kind: d.kind, Because: d.because, Relation: d.relation}
		if d.owner >= 0 {
			c.Reason.By = KeyOf(p.pkg(d.owner))
		}
	}
	return sol
}

type justification struct {
	*problem
	installed func(int32) bool
	why       []*demand
	queue     []int32   // reached, in order
	forcedAt  int       // queue[:forcedAt] had their dependencies looked at
	several   []*demand // met by several installed packages
	severalAt int
	softAt    int // queue[:softAt] had their recommendations looked at
}

// take reaches the best installed choice of a demand, unless one is reached.
func (j *justification) take(d *demand) bool {
	best := int32(-1)
	for _, c := range d.choices {
		if j.why[c] != nil {
			return false
		}
		if best < 0 && j.installed(c) {
			best = c
		}
	}
	if best < 0 {
		return false
	}
	j.why[best] = d
	j.queue = append(j.queue, best)
	return true
}

// forced follows the dependencies that only one installed package meets.
func (j *justification) forced() bool {
	moved := j.forcedAt < len(j.queue)
	for ; j.forcedAt < len(j.queue); j.forcedAt++ {
		v := j.queue[j.forcedAt]
		for i := j.first[v]; i < j.first[v+1]; i++ {
			d := &j.demands[i]
			if d.kind == Recommends {
				continue
			}
			met := 0
			for _, c := range d.choices {
				if j.installed(c) {
					met++
				}
			}
			if met > 1 {
				j.several = append(j.several, d)
			} else {
				j.take(d)
			}
		}
	}
	return moved
}

// chosen follows one dependency that several installed packages meet.
func (j *justification) chosen() bool {
	for ; j.severalAt < len(j.several); j.severalAt++ {
		if j.take(j.several[j.severalAt]) {
			return true
		}
	}
	return false
}

// recommended follows one recommendation.
func (j *justification) recommended() bool {
	for ; j.softAt < len(j.queue); j.softAt++ {
		v := j.queue[j.softAt]
		for i := j.first[v]; i < j.first[v+1]; i++ {
			if d := &j.demands[i]; d.kind == Recommends && j.take(d) {
				return true
			}
		}
	}
	return false
}
