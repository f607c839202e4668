package solve

import (
	"cmp"
	"slices"

	"stet/internal/debian"
)

// arch is the architecture as which a package counts: "all" is native.
func (v *view) arch(p id) string {
	if a := v.packages[p].Architecture; a != "all" {
		return a
	}
	return v.native
}

// archHolds reports whether package q, of architecture qArch, answers a
// dependency of a package of architecture owner (dpkg's deparchsatisfied):
// unqualified names mean the owner's architecture or a Multi-Arch: foreign
// package, ":any" means a Multi-Arch: allowed package.
func (v *view) archHolds(r *debian.Relation, owner string, q id, qArch string) bool {
	switch r.Arch {
	case "":
		return qArch == owner || v.packages[q].MultiArch == "foreign"
	case "any":
		return v.packages[q].MultiArch == "allowed"
	case "native":
		return qArch == v.native
	}
	return qArch == r.Arch
}

// providedArch is the architecture for which a package provides a name.
func (v *view) providedArch(p provider) string {
	switch p.as.Arch {
	case "", "any", "native":
		return v.arch(p.id)
	}
	return p.as.Arch
}

// eachSatisfier calls yield for every package that satisfies r for an owner of
// that architecture; a package may come twice, as itself and as a provider.
func (v *view) eachSatisfier(r *debian.Relation, owner string, yield func(q id, provides bool)) {
	n := v.name(r.Name)
	for _, q := range n.real {
		if v.archHolds(r, owner, q, v.arch(q)) && r.Satisfied(v.packages[q].Version) {
			yield(q, false)
		}
	}
	for _, p := range n.providers {
		if (v.archHolds(r, owner, p.id, v.providedArch(p)) || p.as.Arch == "any" && r.Arch == "any") &&
			r.Satisfied(p.as.Version) {
			yield(p.id, true)
		}
	}
}

// eachAdversary calls yield for every package that a Conflicts or Breaks of a
// package named owner hits. Without a qualifier these hit all architectures; a
// package never conflicts with its own name, nor with what it provides itself.
func (v *view) eachAdversary(r *debian.Relation, owner string, yield func(q id)) {
	n := v.name(r.Name)
	archHit := func(arch string) bool {
		switch r.Arch {
		case "", "any":
			return true
		case "native":
			return arch == v.native
		}
		return arch == r.Arch
	}
	for _, q := range n.real {
		if v.packages[q].Name != owner && archHit(v.arch(q)) && r.Satisfied(v.packages[q].Version) {
			yield(q)
		}
	}
	for _, p := range n.providers {
		if v.packages[p.id].Name == owner {
			continue
		}
		if archHit(v.providedArch(p)) && r.Satisfied(p.as.Version) {
			yield(p.id)
		}
	}
}

// rank is a package's place among the versions of its name and architecture;
// rank 0 is the candidate, in apt's word.
func (v *view) rank(p id) int {
	rank := 0
	arch := v.arch(p)
	for _, q := range v.versionsOf(p) {
		if q == p {
			break
		}
		if v.arch(q) == arch {
			rank++
		}
	}
	return rank
}

// canCoexist reports whether two packages of one name may be installed
// together: other architectures, Multi-Arch: same and the very same version.
func (v *view) canCoexist(a, b id) bool {
	p, q := v.packages[a], v.packages[b]
	return v.arch(a) != v.arch(b) && p.MultiArch == "same" && q.MultiArch == "same" && p.Version == q.Version
}

// choice is one way to satisfy a relation, with what decides its place.
type choice struct {
	id          id
	alternative int
	provides    bool
	rank        int
}

// choices lists the packages that satisfy one of the alternatives, in the
// order of the package comment. A package comes once, at its best place.
func (v *view) choices(alternatives debian.Alternatives, owner string, allowed func(id) bool) []id {
	var found []choice
	for i := range alternatives {
		v.eachSatisfier(&alternatives[i], owner, func(q id, provides bool) {
			if allowed == nil || allowed(q) {
				found = append(found, choice{id: q, alternative: i, provides: provides})
			}
		})
	}
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		for i := range found {
			found[i].rank = v.rank(found[i].id)
		}
		slices.SortFunc(found, v.compareChoices)
	}
	ids := make([]id, 0, len(found))
	for _, c := range found {
		if !slices.Contains(ids, c.id) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

func (v *view) compareChoices(a, b choice) int {
	p, q := &v.packages[a.id], &v.packages[b.id]
	return cmp.Or(
		first(p.preferred && a.rank == 0, q.preferred && b.rank == 0),
		first(a.rank == 0, b.rank == 0),
		cmp.Compare(a.alternative, b.alternative),
		first(!a.provides, !b.provides),
		first(p.Essential, q.Essential),
		first(v.arch(a.id) == v.native, v.arch(b.id) == v.native),
		cmp.Compare(priority(p.Priority), priority(q.Priority)),
		v.compare(a.id, b.id),
	)
}

// first orders what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// priority ranks the Priority field, highest first (Debian Policy 2.5).
func priority(s string) int {
	if i := slices.Index([]string{"required", "important", "standard", "optional", "extra"}, s); i >= 0 {
		return i
	}
	return 5
}
