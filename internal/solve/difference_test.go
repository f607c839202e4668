package solve

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stet/internal/debian"
)

// The rules under which a choice may differ from apt's. docs/solver.md has them
// in the same words; a difference under none of them fails the test.
const (
	// Ours meets the relation by what something else, or apt's choice itself, needs
	// anyway; apt had chosen before it came to that.
	neededAnyway = "needed anyway"
	// Both providers are equal but for the name; apt goes by its own numbers.
	byName = "name"
	// Ours comes earlier in the documented order and is possible; apt passed it
	// over because of what it had marked before.
	byOrder = "order"
	// Apt's comes earlier in the order, but cannot be had beside what must be
	// there.
	notPossible = "not possible"
	// Apt's comes earlier, or is recommended, but cannot be had beside a
	// Recommends that came first.
	settledBefore = "settled before"
	// Apt leaves out a Recommends that can be had.
	leftOut = "left out by apt"
	// Nothing in apt's own set asks for it: what did was marked, and taken back.
	leftOver = "left over by apt"
	// It comes with another difference.
	follows = "follows"
)

// comparison holds a solution against apt's set.
type comparison struct {
	*view
	req    Request
	ours   *Solution
	mine   map[id]bool
	theirs map[id]bool

	rules map[string]int // how many packages differ under which rule
	told  []string       // each, in words
	wrong []string       // those under no rule
}

// compare classifies every package that one of both has.
func compare(u *Universe, req Request, s *Solution, aptSet map[string]string) *comparison {
	c := &comparison{
		view: newView(u, req.Architecture), req: req, ours: s,
		mine: map[id]bool{}, theirs: map[id]bool{}, rules: map[string]int{},
	}
	for i := range s.Packages {
		p := &s.Packages[i].Package
		c.mine[c.id(p.Name, p.Version)] = true
	}
	for name, version := range aptSet {
		q := c.id(name, version)
		if q < 0 {
			c.wrong = append(c.wrong, fmt.Sprintf("apt's %s %s is not in the index", name, version))
			continue
		}
		c.theirs[q] = true
	}
	c.onlyOurs()
	c.onlyTheirs()
	return c
}

func (c *comparison) id(name, version string) id {
	for _, q := range c.name(name).real {
		if c.packages[q].Version == version {
			return q
		}
	}
	return -1
}

func (c *comparison) same() bool { return len(c.rules) == 0 && len(c.wrong) == 0 }

func (c *comparison) count(rule, told string) {
	c.rules[rule]++
	c.told = append(c.told, rule+": "+told)
}

// onlyOurs judges what only our set has by the relations that it meets there:
// its reason first, then others.
func (c *comparison) onlyOurs() {
	for i := range c.ours.Packages {
		chosen := &c.ours.Packages[i]
		y := c.id(chosen.Name, chosen.Version)
		if c.theirs[y] {
			continue
		}
		if chosen.Reason.Kind <= Priority {
			c.wrong = append(c.wrong, "apt has not what is wished: "+chosen.Name)
			continue
		}
		by := c.ours.Find(chosen.Reason.By)
		needs := append([]relationOf{{c.id(by.Name, by.Version), chosen.Reason.Kind, chosen.Reason.Relation}}, c.needs(y)...)
		rule, told := "", ""
		for _, d := range needs {
			var words string
			if rule, words = c.ruleOfOurs(d, y); rule != "" {
				told = words
				break
			}
			told += words + "; "
		}
		if rule == "" {
			c.wrong = append(c.wrong, told)
		} else {
			c.count(rule, told)
		}
	}
}

// ruleOfOurs says why our set has y for d and apt's has not, or "".
func (c *comparison) ruleOfOurs(d relationOf, y id) (rule, told string) {
	owner := c.packages[d.owner].Name
	if !c.theirs[d.owner] {
		return follows, fmt.Sprintf("ours %s by %s", c.packages[y].Name, owner)
	}
	x := c.first(d, c.theirs)
	told = fmt.Sprintf("%s has %q: ours %s, apt's %s", owner, d.alternatives, c.packages[y].Name, c.named(x))
	switch {
	case x < 0 && d.kind == Recommends:
		return leftOut, told
	case x >= 0 && (!c.mine[x] || c.because(x, y)): // y may bring what apt has in its place
		return c.rule(d, y, x), told
	}
	return "", told
}

// needs lists the relations of our set that y meets best, of packages that are
// not there because of y.
func (c *comparison) needs(y id) []relationOf {
	var all []relationOf
	for _, p := range c.sorted(c.mine) {
		if c.because(p, y) {
			continue
		}
		for _, d := range c.relations(p) {
			if c.first(d, c.mine) == y {
				all = append(all, d)
			}
		}
	}
	return all
}

// because reports whether p's chain leads through y.
func (c *comparison) because(p, y id) bool {
	return slices.ContainsFunc(c.ours.Chain(KeyOf(c.packages[p].Package)), func(step Chosen) bool {
		return step.Name == c.packages[y].Name
	})
}

// onlyTheirs judges what only apt's set has by the relations that it meets.
func (c *comparison) onlyTheirs() {
	open := map[id]string{} // to where it could come from
	for x := range c.theirs {
		if !c.mine[x] {
			open[x] = "nothing asks for it"
		}
	}
	explained := map[id]bool{}
	for _, p := range c.sorted(c.theirs) {
		if !c.mine[p] {
			continue
		}
		for _, d := range c.relations(p) {
			choices := c.choices(d.alternatives, c.arch(p), nil)
			for _, x := range choices {
				if _, is := open[x]; !is || explained[x] {
					continue
				}
				y := c.first(d, c.mine)
				where := fmt.Sprintf("%s has %q: apt's %s, ours %v", c.packages[p].Name, d.alternatives, c.packages[x].Name, c.named(y))
				rule := ""
				if y >= 0 {
					rule = c.rule(d, y, x)
				} else if !c.beside(x) {
					rule = settledBefore
				}
				if rule == "" {
					open[x] = where
					continue
				}
				explained[x] = true
				c.count(rule, where)
			}
		}
	}
	queue := c.sorted(explained)
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		for _, d := range c.relations(p) {
			for _, x := range c.choices(d.alternatives, c.arch(p), nil) {
				if _, is := open[x]; is && !explained[x] {
					explained[x] = true
					queue = append(queue, x)
					c.count(follows, "apt's "+c.packages[x].Name+" by "+c.packages[p].Name)
				}
			}
		}
	}
	asked := c.asked()
	for _, x := range slices.Sorted(maps.Keys(open)) {
		if explained[x] {
			continue
		}
		if !asked[x] {
			c.count(leftOver, c.packages[x].Name)
		} else {
			c.wrong = append(c.wrong, "apt's "+c.packages[x].Name+": "+open[x])
		}
	}
}

// asked is what of apt's set something asks for, from the wishes on.
func (c *comparison) asked() map[id]bool {
	asked := map[id]bool{}
	var queue []id
	for i := range c.ours.Packages {
		p := &c.ours.Packages[i]
		if q := c.id(p.Name, p.Version); p.Reason.Kind <= Priority && c.theirs[q] {
			asked[q] = true
			queue = append(queue, q)
		}
	}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		for _, d := range c.relations(p) {
			for _, q := range c.met(d, c.theirs) {
				if !asked[q] {
					asked[q] = true
					queue = append(queue, q)
				}
			}
		}
	}
	return asked
}

// rule says why d is met by y here and by x there, or "".
func (c *comparison) rule(d relationOf, y, x id) string {
	choices := c.choices(d.alternatives, c.arch(d.owner), nil)
	earlier := slices.Index(choices, y) < slices.Index(choices, x)
	switch {
	case c.neededBesides(d, y) || c.needsBest(x, y):
		return neededAnyway
	case earlier && c.equalButForName(d, y, x):
		return byName
	case earlier:
		return byOrder
	case !c.possible(x):
		return notPossible
	case !c.beside(x):
		return settledBefore
	}
	return ""
}

// neededBesides reports whether our set needs y for anything but d.
func (c *comparison) neededBesides(d relationOf, y id) bool {
	chosen := c.ours.Find(KeyOf(c.packages[y].Package))
	if chosen.Reason.Kind <= Priority {
		return true
	}
	for _, other := range c.needs(y) {
		// Nothing else of ours meets it, or nothing better could.
		if other.alternatives.String() != d.alternatives.String() &&
			(len(c.met(other, c.mine)) == 1 || c.choices(other.alternatives, c.arch(other.owner), nil)[0] == y) {
			return true
		}
	}
	return false
}

// needsBest reports whether a package needs another one before all others: where that
// meets what the first was to meet, the first is of no more use.
func (c *comparison) needsBest(x, y id) bool {
	return slices.ContainsFunc(c.relations(x), func(d relationOf) bool {
		choices := c.choices(d.alternatives, c.arch(x), nil)
		return d.kind != Recommends && len(choices) > 0 && choices[0] == y
	})
}

func (c *comparison) equalButForName(d relationOf, y, x id) bool {
	p, q := &c.packages[y], &c.packages[x]
	place := func(at id) (int, bool) {
		for i := range d.alternatives {
			for _, provides := range []bool{false, true} {
				found := false
				c.eachSatisfier(&d.alternatives[i], c.arch(d.owner), func(q id, p bool) { found = found || q == at && p == provides })
				if found {
					return i, provides
				}
			}
		}
		return -1, false
	}
	i, provides := place(y)
	j, providesToo := place(x)
	return i == j && provides == providesToo && p.Essential == q.Essential && priority(p.Priority) == priority(q.Priority)
}

// possible reports whether x could be added to what is wished.
func (c *comparison) possible(x id) bool {
	req := c.req
	req.Recommends, req.RecommendsOf = false, nil
	req.Wants = append(slices.Clone(req.Wants), c.want(x))
	_, err := Solve(c.Universe, req)
	return err == nil
}

// beside reports whether x could be added to our whole set.
func (c *comparison) beside(x id) bool {
	req := Request{Architecture: c.req.Architecture, Wants: []Want{c.want(x)}}
	for p := range c.mine {
		req.Wants = append(req.Wants, c.want(p))
	}
	_, err := Solve(c.Universe, req)
	return err == nil
}

func (c *comparison) want(x id) Want {
	return Want{Name: c.packages[x].Name, Version: c.packages[x].Version}
}

// relationOf is one relation of a package.
type relationOf struct {
	owner        id
	kind         Kind
	alternatives debian.Alternatives
}

// relations lists what p needs and, where it is asked for, recommends.
func (c *comparison) relations(p id) []relationOf {
	var all []relationOf
	q := c.packages[p].Package
	add := func(kind Kind, relations debian.Relations) {
		for _, a := range relations {
			all = append(all, relationOf{p, kind, a})
		}
	}
	add(PreDepends, q.PreDepends)
	add(Depends, q.Depends)
	if c.req.Recommends {
		add(Recommends, q.Recommends)
	}
	return all
}

// met lists the packages of a set that meet d, best first.
func (c *comparison) met(d relationOf, set map[id]bool) []id {
	return slices.DeleteFunc(c.choices(d.alternatives, c.arch(d.owner), nil), func(q id) bool { return !set[q] })
}

func (c *comparison) first(d relationOf, set map[id]bool) id {
	if met := c.met(d, set); len(met) > 0 {
		return met[0]
	}
	return -1
}

func (c *comparison) named(q id) string {
	if q < 0 {
		return "none"
	}
	return c.packages[q].Name
}

func (c *comparison) sorted(set map[id]bool) []id {
	return slices.SortedFunc(maps.Keys(set), func(a, b id) int { return cmp.Compare(c.packages[a].Name, c.packages[b].Name) })
}

// tally writes counted rules, sorted.
func tally(rules map[string]int) string {
	var parts []string
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		parts = append(parts, fmt.Sprintf("%s %d", rule, rules[rule]))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// tallies sum comparisons up.
type tallies struct {
	both, alike, neither, onlyOurs int
	packages, differing            int
	rules                          map[string]int
}

func (s *tallies) add(c *comparison) {
	s.both++
	s.packages += len(c.ours.Packages)
	if c.same() {
		s.alike++
	}
	if s.rules == nil {
		s.rules = map[string]int{}
	}
	for rule, n := range c.rules {
		s.rules[rule] += n
		s.differing += n
	}
}

func (s *tallies) String() string {
	return fmt.Sprintf("both install %d sets, %d of them alike; neither %d, only Solve %d; %d of %d packages differ: %s",
		s.both, s.alike, s.neither, s.onlyOurs, s.differing, s.packages, tally(s.rules))
}
