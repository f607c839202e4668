package solve

import (
	"errors"
	"fmt"
	"strings"

	"stet/internal/debian"
)

// WantError says that a wish names nothing that could be installed.
type WantError struct {
	Want       Want
	Excluded   string   // who excludes the package, when that is the cause
	IsExcluded bool     // the package is there, but excluded
	Versions   []string // versions that are there, when the wished one is not
	Arches     []string // architectures that have the name, when the wished one has not
	Providers  []string // real packages, when the name is virtual
	Similar    []string // names that look alike, best first
}

func (e *WantError) Error() string {
	var b strings.Builder
	if e.Want.Because != "" {
		b.WriteString(e.Want.Because + " wants ")
	}
	b.WriteString(e.Want.Name)
	if e.Want.Version != "" {
		b.WriteString(" (= " + e.Want.Version + ")")
	}
	switch {
	case e.IsExcluded:
		b.WriteString(", but it is excluded")
		if e.Excluded != "" {
			b.WriteString(" by " + e.Excluded)
		}
	case len(e.Versions) > 0:
		b.WriteString(": there is no such version, only " + list(e.Versions, "and"))
	case len(e.Arches) > 0:
		b.WriteString(": it is not there for that architecture, only for " + list(e.Arches, "and"))
	case len(e.Providers) > 0:
		b.WriteString(": this is a virtual package; choose one that provides it: " + list(e.Providers, "or"))
	default:
		b.WriteString(": there is no such package")
		if len(e.Similar) > 0 {
			b.WriteString("; did you mean " + list(e.Similar, "or") + "?")
		}
	}
	return b.String()
}

// DependencyError says that a package on the way from the wishes needs
// something that cannot be had. The chain is a short one: it is
// searched breadth first, from as few wishes as fail.
type DependencyError struct {
	Chain    Chain // from a wish to the package that has the relation
	Kind     Kind  // PreDepends or Depends
	Relation debian.Alternatives
	Causes   []Cause // one for each alternative
}

// Cause says why one alternative of a relation cannot be met.
type Cause struct {
	Relation   debian.Relation
	Versions   []string // versions that are there, when none fits
	Arches     []string // architectures that are there, when none fits
	Providers  []string // packages that provide the name, but not in a fitting version
	Excluded   string   // who excludes what would fit
	IsExcluded bool
}

func (c Cause) String() string {
	name := c.Relation.Name
	if c.Relation.Arch != "" {
		name += ":" + c.Relation.Arch
	}
	switch {
	case c.IsExcluded && c.Excluded != "":
		return name + " is excluded by " + c.Excluded
	case c.IsExcluded:
		return name + " is excluded"
	case len(c.Versions) > 0:
		return name + " is only there as " + list(c.Versions, "and")
	case len(c.Arches) > 0:
		return name + " is only there for " + list(c.Arches, "and")
	case len(c.Providers) > 0:
		return name + " is only provided by " + list(c.Providers, "and")
	}
	return name + " is not there"
}

func (e *DependencyError) Error() string {
	last := e.Chain[len(e.Chain)-1]
	var b strings.Builder
	b.WriteString(e.Chain.String())
	fmt.Fprintf(&b, "; %s %s %s", label(&last.Package), verb(e.Kind), e.Relation)
	for _, c := range e.Causes {
		b.WriteString("; " + c.String())
	}
	return b.String()
}

// ConflictError says that two packages that cannot be installed together are
// both needed.
type ConflictError struct {
	Left, Right Chain           // from a wish to each side; the last of Left has the relation
	Field       string          // "Conflicts" or "Breaks"; "" = two versions of one name
	Relation    debian.Relation // with a Field
}

func (e *ConflictError) Error() string {
	l, r := &e.Left[len(e.Left)-1].Package, &e.Right[len(e.Right)-1].Package
	var b strings.Builder
	switch e.Field {
	case "":
		fmt.Fprintf(&b, "%s and %s cannot be installed together", qualifiedLabel(l), qualifiedLabel(r))
	default:
		verb := map[string]string{"Conflicts": "conflicts with", "Breaks": "breaks"}[e.Field]
		fmt.Fprintf(&b, "%s %s %s", label(l), verb, e.Relation)
		if e.Relation.Name != r.Name {
			fmt.Fprintf(&b, ", which %s provides", label(r))
		} else if e.Relation.Op == "" {
			fmt.Fprintf(&b, " (%s)", r.Version)
		} else {
			fmt.Fprintf(&b, ", here %s", label(r))
		}
	}
	text := Chain.String
	if e.Field == "" {
		b.WriteString(e.apart())
		if l.Architecture != r.Architecture {
			text = func(c Chain) string { return c.text(qualifiedLabel) }
		}
	}
	fmt.Fprintf(&b, "; on one side: %s; on the other: %s", text(e.Left), text(e.Right))
	return b.String()
}

// apart says why two packages of one name cannot be there together.
func (e *ConflictError) apart() string {
	l, r := &e.Left[len(e.Left)-1].Package, &e.Right[len(e.Right)-1].Package
	switch {
	case l.Architecture == r.Architecture:
		return ", being versions of one package"
	case l.MultiArch == "same" && r.MultiArch == "same":
		return ": Multi-Arch: same wants one version for all architectures"
	}
	return ": without Multi-Arch: same a package is there for one architecture only"
}

// wishErrors are the wishes that name nothing; all are told at once.
type wishErrors []error

func (e wishErrors) err() error {
	if len(e) == 1 {
		return e[0]
	}
	return errors.Join(e...)
}

// list joins words as in "a, b or c"; of many it names the first few.
func list(words []string, conjunction string) string {
	const most = 8
	if n := len(words); n > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" %s %d more", conjunction, n-most)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + conjunction + " " + words[n-1]
	}
	return strings.Join(words, "")
}
