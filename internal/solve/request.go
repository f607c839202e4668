package solve

import (
	"cmp"
	"slices"
	"strings"

	"stet/internal/debian"
)

// Want is the wish for one package.
type Want struct {
	Name    string // "nginx", or "libc6:i386" for a foreign architecture
	Version string // exactly this version; "" = the candidate, or another one if need be
	Because string // who wishes it, for reasons and errors: "hello", "option locale"
}

// Request is what a machine wishes.
type Request struct {
	Wants        []Want
	Architecture string // the native architecture, as in "dpkg --print-architecture"

	// Essential adds every package with "Essential: yes", and Priorities every
	// package of one of these priorities, both in the native architecture.
	Essential  bool
	Priorities []string

	// Recommends installs recommended packages where possible. RecommendsOf
	// overrides it for the Recommends of single packages, by "name" or
	// "name:arch".
	Recommends   bool
	RecommendsOf map[string]bool

	// Exclude names packages that must not be installed, as "name" or
	// "name:arch", and says who excludes them.
	Exclude map[string]string
}

// Solution is a set of packages that satisfies a Request.
type Solution struct {
	Packages []Chosen // sorted by name, then architecture
}

// Chosen is a package of a solution and the step by which it came in.
type Chosen struct {
	debian.Package
	Reason Reason
}

// Key names a package of a set: no set has two versions of one key.
type Key struct{ Name, Architecture string }

func (k Key) String() string { return k.Name + ":" + k.Architecture }

// KeyOf is the key of p.
func KeyOf(p *debian.Package) Key { return Key{p.Name, p.Architecture} }

// Reason says why a package is in a set: somebody wishes it, or a package
// already there needs it.
type Reason struct {
	Kind     Kind
	Because  string              // of a Wish: Want.Because; of a Priority: the priority
	By       Key                 // of a relation: the package that has it
	Relation debian.Alternatives // of a relation: as written there
}

// Kind is the kind of a Reason.
type Kind uint8

// A wish is in the Request by name, by its Essential or by its Priorities; the
// other kinds are the control fields of the package in Reason.By.
const (
	Wish Kind = iota
	Essential
	Priority
	PreDepends
	Depends
	Recommends
)

// String is the control field for relations and priorities, else "Wish".
func (k Kind) String() string {
	return [...]string{"Wish", "Essential", "Priority", "Pre-Depends", "Depends", "Recommends"}[k]
}

// Find returns the package with that key, or nil.
func (s *Solution) Find(k Key) *Chosen {
	i, ok := slices.BinarySearchFunc(s.Packages, k, func(c Chosen, k Key) int {
		return cmp.Or(cmp.Compare(c.Name, k.Name), cmp.Compare(c.Architecture, k.Architecture))
	})
	if !ok {
		return nil
	}
	return &s.Packages[i]
}

// Chain is how a package came into the solution: the first element is wished,
// each further one is needed by the one before it, the last has the key k. It
// is nil when k is not in the solution.
func (s *Solution) Chain(k Key) Chain {
	var chain Chain
	for c := s.Find(k); c != nil; c = s.Find(c.Reason.By) {
		chain = append(chain, *c)
		if c.Reason.Kind <= Priority {
			break
		}
	}
	slices.Reverse(chain)
	return chain
}

// Chain leads from a wish to a package.
type Chain []Chosen

// String tells the chain in Debian's words: "hello wants nginx (1.26.3-3);
// nginx (1.26.3-3) depends on libssl3t64 (>= 3.0)".
func (c Chain) String() string { return c.text(label) }

func (c Chain) text(label func(*debian.Package) string) string {
	var b strings.Builder
	for i := range c {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.step(i, label))
	}
	return b.String()
}

func (c Chain) step(i int, label func(*debian.Package) string) string {
	p := label(&c[i].Package)
	r := c[i].Reason
	switch r.Kind {
	case Wish:
		if r.Because == "" {
			return p + " is wanted"
		}
		return r.Because + " wants " + p
	case Essential:
		return p + " is essential"
	case Priority:
		return p + " has priority " + r.Because
	}
	by := r.By.Name
	if i > 0 {
		by = label(&c[i-1].Package)
	}
	s := by + " " + verb(r.Kind) + " " + r.Relation.String()
	if len(r.Relation) != 1 || r.Relation[0].Name != c[i].Name {
		s += " (here " + p + ")"
	}
	return s
}

func verb(k Kind) string {
	switch k {
	case PreDepends:
		return "pre-depends on"
	case Recommends:
		return "recommends"
	}
	return "depends on"
}

// label is "name (version)".
func label(p *debian.Package) string { return p.Name + " (" + p.Version + ")" }

// qualifiedLabel is "name:arch (version)".
func qualifiedLabel(p *debian.Package) string {
	return p.Name + ":" + p.Architecture + " (" + p.Version + ")"
}
