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
	names    *names
}

// id is a package's index in Universe.packages.
type id int32

type member struct {
	*debian.Package
	group     int32
	preferred bool
	name      int32 // in names.list
}

// named is the name that a package has.
func (u *Universe) named(p id) *name { return &u.names.list[u.packages[p].name] }

// NewUniverse indexes the groups, most preferred first. It keeps the packages:
// the caller must not change them afterwards. Of two equal packages (name,
// version, architecture, bytes) the earlier group's is kept.
func NewUniverse(groups ...Group) *Universe {
	total, provided := 0, 0
	for _, g := range groups {
		total += len(g.Packages)
		for _, p := range g.Packages {
			provided += len(p.Provides)
		}
	}
	u := &Universe{packages: make([]member, 0, total), names: newNames(total+provided, total+provided/2)}
	b := universeBuilder{Universe: u, provides: make([]int32, 0, provided), next: make([]id, 0, total)}
	for gi, g := range groups {
		for _, p := range g.Packages {
			b.add(p, int32(gi), g.Preferred)
		}
	}
	b.fill()
	for i := range u.names.list {
		n := &u.names.list[i]
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

// universeBuilder notes which names each package provides, so that the lists of
// all names can be cut from one piece of memory each.
type universeBuilder struct {
	*Universe
	provides []int32 // names, package by package
	next     []id    // of a package: the one before it of the same name, or -1
	last     []id    // of a name: the last package so called, or -1
}

func (b *universeBuilder) name(text string) int32 {
	n := b.names.add(text)
	if int(n) == len(b.last) {
		b.last = append(b.last, -1)
	}
	return n
}

func (b *universeBuilder) add(p *debian.Package, group int32, preferred bool) {
	n := b.name(p.Name)
	for q := b.last[n]; q >= 0; q = b.next[q] {
		if twins(b.packages[q].Package, p) {
			return
		}
	}
	b.next = append(b.next, b.last[n])
	b.last[n] = id(len(b.packages))
	b.packages = append(b.packages, member{p, group, preferred, n})
	for _, alternatives := range p.Provides {
		for i := range alternatives {
			b.provides = append(b.provides, b.name(alternatives[i].Name))
		}
	}
}

// fill gives every name its lists.
func (b *universeBuilder) fill() {
	real, provided := make([]int32, len(b.names.list)), make([]int32, len(b.names.list))
	for i := range b.packages {
		real[b.packages[i].name]++
	}
	for _, n := range b.provides {
		provided[n]++
	}
	reals, providers := make([]id, len(b.packages)), make([]provider, len(b.provides))
	for i := range b.names.list {
		n := &b.names.list[i]
		n.real, reals = reals[:0:real[i]], reals[real[i]:]
		n.providers, providers = providers[:0:provided[i]], providers[provided[i]:]
	}
	at := 0
	for q := range b.packages {
		n := b.named(id(q))
		n.real = append(n.real, id(q))
		for _, alternatives := range b.packages[q].Provides {
			for i := range alternatives {
				r := &alternatives[i]
				n := &b.names.list[b.provides[at]]
				n.providers = append(n.providers, provider{id(q), r.Arch, r.Version})
				at++
			}
		}
	}
}

// twins reports whether two packages of one name are the same.
func twins(p, q *debian.Package) bool {
	return q.Version == p.Version && q.Architecture == p.Architecture && q.SHA256 == p.SHA256 && q.Filename == p.Filename
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
