package solve

import (
	"slices"
	"strings"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// problem is a request translated into demands and conflicts between numbered
// packages: everything that the wishes can reach, and nothing else.
type problem struct {
	*view
	req *Request

	vars  []id    // number → package
	varOf []int32 // package → number+1; 0, or none, = out of reach

	wishes  []demand // one of its choices must hold; owner is -1
	demands []demand // of package v: demands[first[v]:first[v+1]], hard ones first
	first   []int32
	clashes []clash

	// The choices of relations that were looked at for a native package. Equal
	// relations of one index are one.
	known map[*debian.Relation][]int32
}

// demand says: when owner is installed, one of choices must be (or, when it is
// a Recommends, should be).
type demand struct {
	owner    int32
	kind     Kind
	because  *string // of a wish
	relation debian.Alternatives
	choices  []int32 // most wanted first
}

// reason is what d is to a package that it brings, but for the owner.
func (d *demand) reason() Reason {
	r := Reason{Kind: d.kind, Relation: d.relation}
	if d.because != nil {
		r.Because = *d.because
	}
	return r
}

// clash says: not both. A field of "" means two versions of one name.
type clash struct {
	owner, other int32
	field        string // "Conflicts", "Breaks" or ""
	relation     debian.Relation
}

// newProblem numbers what req can reach, breadth first from the sorted wishes,
// so that the numbers do not depend on any input order.
func newProblem(v *view, req *Request) (*problem, error) {
	p := &problem{view: v, req: req, known: map[*debian.Relation][]int32{}}
	if err := p.addWishes(); err != nil {
		return nil, err
	}
	p.demands = make([]demand, 0, v.size) // about as many as both desktops have
	for n := int32(0); int(n) < len(p.vars); n++ {
		p.first = append(p.first, int32(len(p.demands)))
		q := p.packages[p.vars[n]].Package
		p.addDemands(n, PreDepends, q.PreDepends)
		p.addDemands(n, Depends, q.Depends)
		if p.recommends(p.vars[n]) {
			p.addDemands(n, Recommends, q.Recommends)
		}
	}
	p.first = append(p.first, int32(len(p.demands)))
	p.addClashes()
	return p, nil
}

// recommends reports whether what q recommends is looked at.
func (p *problem) recommends(q id) bool {
	if on, set := p.req.RecommendsOf[p.packages[q].Name+":"+p.arch(q)]; set {
		return on
	}
	if on, set := p.req.RecommendsOf[p.packages[q].Name]; set {
		return on
	}
	return p.req.Recommends
}

// number gives a package its number, and with it its place in the problem.
func (p *problem) number(q id) int32 {
	if int(q) >= len(p.varOf) {
		p.varOf = append(p.varOf, make([]int32, len(p.packages)-len(p.varOf))...)
	}
	if p.varOf[q] == 0 {
		p.vars = append(p.vars, q)
		p.varOf[q] = int32(len(p.vars))
	}
	return p.varOf[q] - 1
}

// numberOf gives the number that a package has, or -1 when it is out of reach.
func (p *problem) numberOf(q id) int32 {
	if int(q) >= len(p.varOf) {
		return -1
	}
	return p.varOf[q] - 1
}

func (p *problem) pkg(v int32) *debian.Package { return p.packages[p.vars[v]].Package }

func (p *problem) numbers(ids []id) []int32 {
	ns := make([]int32, len(ids))
	for i, q := range ids {
		ns[i] = p.number(q)
	}
	return ns
}

// excluded returns who excludes q.
func (p *problem) excluded(q id) (who string, is bool) {
	if len(p.req.Exclude) == 0 {
		return "", false
	}
	name := p.packages[q].Name
	if who, is = p.req.Exclude[name]; is {
		return who, true
	}
	who, is = p.req.Exclude[name+":"+p.arch(q)]
	return who, is
}

func (p *problem) allowed(q id) bool {
	_, is := p.excluded(q)
	return !is
}

// addWishes adds the named wishes first, so that reasons prefer them, then the
// base. Excluded packages are not part of the base; wishing one is an error.
func (p *problem) addWishes() error {
	wants := slices.Clone(p.req.Wants)
	slices.SortFunc(wants, compareWants)
	wants = slices.Compact(wants)
	var errs wishErrors
	for i := range wants {
		w := &wants[i]
		choices := p.wanted(w)
		if len(choices) == 0 {
			errs = append(errs, p.explainWant(*w))
			continue
		}
		p.wishes = append(p.wishes, demand{owner: -1, kind: Wish, because: &w.Because, choices: p.numbers(choices)})
	}
	if len(errs) > 0 {
		return errs.err()
	}
	for _, n := range p.base() {
		all := p.name(n.name).real
		var choices []id
		for _, q := range all {
			if p.arch(q) == p.native && p.allowed(q) {
				choices = append(choices, q)
			}
		}
		if len(choices) > 0 {
			p.wishes = append(p.wishes, demand{owner: -1, kind: n.kind, because: &n.because, choices: p.numbers(choices)})
		}
	}
	return nil
}

type baseName struct {
	name    string
	kind    Kind
	because string
}

// base lists the names whose candidate is Essential or of a wanted priority.
func (p *problem) base() []baseName {
	var names []baseName
	if !p.req.Essential && len(p.req.Priorities) == 0 {
		return nil
	}
	candidates := (*catalog.Catalog).Eminent
	if slices.Contains(p.req.Priorities, catalog.Ordinary) {
		candidates = (*catalog.Catalog).All
	}
	for _, q := range p.listed(candidates) {
		essential := p.req.Essential && q.Essential
		if !essential && !slices.Contains(p.req.Priorities, q.Priority) {
			continue
		}
		i, counts := p.idOf(q)
		if !counts || p.arch(i) != p.native || p.rank(i) != 0 {
			continue
		}
		if essential {
			names = append(names, baseName{q.Name, Essential, "yes"})
		} else {
			names = append(names, baseName{q.Name, Priority, q.Priority})
		}
	}
	slices.SortFunc(names, func(a, b baseName) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return strings.Compare(a.name, b.name)
	})
	return names
}

// wanted lists the packages that fulfil a wish, best first: real packages in
// the wished architecture, by default the native one.
func (p *problem) wanted(w *Want) []id {
	name, arch := p.splitName(w.Name)
	n := p.name(name)
	var choices []id
	for _, q := range n.real {
		if p.arch(q) == arch && (w.Version == "" || p.packages[q].Version == w.Version) && p.allowed(q) {
			choices = append(choices, q)
		}
	}
	return choices
}

// splitName splits "name:arch"; without a qualifier the architecture is native.
func (p *problem) splitName(s string) (name, arch string) {
	name, arch, found := strings.Cut(s, ":")
	if !found || arch == "native" {
		arch = p.native
	}
	return name, arch
}

func (p *problem) addDemands(owner int32, kind Kind, relations debian.Relations) {
	arch := p.arch(p.vars[owner])
	for _, alternatives := range relations {
		choices := p.numbered(alternatives, arch, kind == Recommends)
		if slices.Contains(choices, owner) {
			continue // a package may satisfy its own relation, as itself or by Provides
		}
		if kind == Recommends && len(choices) == 0 {
			continue
		}
		p.demands = append(p.demands, demand{owner: owner, kind: kind, relation: alternatives, choices: choices})
	}
}

// numbered gives the choices of a relation. What is only recommended never
// brings in another version than the candidate.
func (p *problem) numbered(alternatives debian.Alternatives, arch string, candidates bool) []int32 {
	if candidates {
		ids := slices.DeleteFunc(p.choices(alternatives, arch, p.allowed), func(q id) bool { return p.rank(q) != 0 })
		return p.numbers(ids)
	}
	if arch != p.native || len(alternatives) == 0 {
		return p.numbers(p.choices(alternatives, arch, p.allowed))
	}
	if known, ok := p.known[&alternatives[0]]; ok {
		return known
	}
	choices := p.numbers(p.choices(alternatives, arch, p.allowed))
	p.known[&alternatives[0]] = choices
	return choices
}

// addClashes adds what cannot be installed together, as far as both sides are
// within reach.
func (p *problem) addClashes() {
	for n := range p.vars {
		owner := int32(n)
		q := p.pkg(owner)
		p.addConflicts(owner, "Conflicts", q.Conflicts)
		p.addConflicts(owner, "Breaks", q.Breaks)
		for _, other := range p.versionsOf(p.vars[owner]) {
			if o := p.numberOf(other); o > owner && !p.canCoexist(p.vars[owner], other) {
				p.clashes = append(p.clashes, clash{owner: owner, other: o})
			}
		}
	}
}

func (p *problem) addConflicts(owner int32, field string, relations debian.Relations) {
	for _, alternatives := range relations {
		for i := range alternatives {
			r := &alternatives[i]
			p.eachAdversary(r, p.pkg(owner).Name, func(q id) {
				if o := p.numberOf(q); o >= 0 {
					p.clashes = append(p.clashes, clash{owner: owner, other: o, field: field, relation: *r})
				}
			})
		}
	}
}
