package solve

import (
	"cmp"
	"slices"

	"stet/internal/debian"
)

// Group is a set of packages of equal standing. Between two versions of one
// package the earlier group wins; inside a group the higher version does.
type Group struct {
	Packages []*debian.Package

	// Preferred packages also win over other packages wherever there is a
	// choice, even over an earlier alternative or the real package of a name.
	// A lock and the packages that Stet itself provides are such groups.
	Preferred bool
}

// Universe is every package that may be installed. It is not changed after
// NewUniverse, so any number of Solve calls may share it.
type Universe struct {
	packages []member
	names    map[string]*name
}

// id is a package's index in Universe.packages.
type id int32

type member struct {
	*debian.Package
	group     int32
	preferred bool
}

// name is what a relation can hit: the packages so called, best version
// first, and those that provide the name.
type name struct {
	real      []id
	providers []provider
}

type provider struct {
	id      id
	arch    string // qualifier of the provided name, mostly ""
	version string // "" when the name is provided without a version
}

// NewUniverse indexes the groups, most preferred first. It keeps the packages:
// the caller must not change them afterwards. Of two equal packages (name,
// version, architecture, bytes) the earlier group's is kept.
func NewUniverse(groups ...Group) *Universe {
	total := 0
	for _, g := range groups {
		total += len(g.Packages)
	}
	u := &Universe{
		packages: make([]member, 0, total),
		names:    make(map[string]*name, total+total/4),
	}
	arena := make([]name, 0, total)
	get := func(s string) *name {
		n := u.names[s]
		if n == nil {
			if len(arena) == cap(arena) {
				arena = make([]name, 0, 1024)
			}
			arena = append(arena, name{})
			n = &arena[len(arena)-1]
			u.names[s] = n
		}
		return n
	}
	reals := make([]id, 0, total)
	for gi, g := range groups {
		for _, p := range g.Packages {
			n := get(p.Name)
			if u.hasTwin(n, p) {
				continue
			}
			pi := id(len(u.packages))
			u.packages = append(u.packages, member{p, int32(gi), g.Preferred})
			if n.real == nil {
				reals = append(reals, pi)
				n.real = reals[len(reals)-1 : len(reals) : len(reals)]
			} else {
				n.real = append(n.real, pi)
			}
			for _, alternatives := range p.Provides {
				for _, r := range alternatives {
					v := get(r.Name)
					v.providers = append(v.providers, provider{pi, r.Arch, r.Version})
				}
			}
		}
	}
	for _, n := range u.names {
		if len(n.real) > 1 {
			slices.SortFunc(n.real, u.compareVersionsOfOne)
		}
		if len(n.providers) > 1 {
			slices.SortFunc(n.providers, func(a, b provider) int {
				return cmp.Or(u.compare(a.id, b.id), cmp.Compare(a.arch, b.arch), cmp.Compare(a.version, b.version))
			})
		}
	}
	return u
}

// hasTwin reports whether the same package is among n's already.
func (u *Universe) hasTwin(n *name, p *debian.Package) bool {
	for _, i := range n.real {
		q := u.packages[i]
		if q.Version == p.Version && q.Architecture == p.Architecture && q.SHA256 == p.SHA256 && q.Filename == p.Filename {
			return true
		}
	}
	return false
}

// compareVersionsOfOne orders packages of one name, best first; it is total.
func (u *Universe) compareVersionsOfOne(a, b id) int {
	p, q := &u.packages[a], &u.packages[b]
	return cmp.Or(
		cmp.Compare(p.group, q.group),
		debian.CompareVersions(q.Version, p.Version),
		cmp.Compare(p.Architecture, q.Architecture),
		cmp.Compare(q.Version, p.Version), // "1.0" and "1.00" compare as equal versions
		cmp.Compare(p.SHA256, q.SHA256),
		cmp.Compare(p.Filename, q.Filename),
	)
}

// compare orders any two packages: name, then best version first.
func (u *Universe) compare(a, b id) int {
	return cmp.Or(cmp.Compare(u.packages[a].Name, u.packages[b].Name), u.compareVersionsOfOne(a, b))
}
