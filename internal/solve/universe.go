package solve

import (
	"iter"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// Group is a set of packages of equal standing. Between two versions of one
// package the earlier group wins; inside a group the higher version does.
type Group struct {
	Catalogs []*catalog.Catalog

	// Preferred packages also win over other packages wherever there is a
	// choice, even over an earlier alternative or the real package of a name.
	// A lock and the packages that Stet itself provides are such groups.
	Preferred bool
}

// Universe is every package that may be installed. It is never changed, so any
// number of Solve calls may share it.
type Universe struct {
	groups []Group
	size   int
}

// NewUniverse takes the groups, most preferred first. Of two equal packages (name,
// version, architecture, bytes) the earlier group's counts.
func NewUniverse(groups ...Group) *Universe {
	u := &Universe{groups: groups}
	for _, g := range groups {
		for _, c := range g.Catalogs {
			u.size += c.Len()
		}
	}
	return u
}

// listed gives the packages that list finds in each catalog, with the place of their
// group.
func (u *Universe) listed(list func(*catalog.Catalog) []*debian.Package) iter.Seq2[int32, *debian.Package] {
	return func(yield func(int32, *debian.Package) bool) {
		for i, g := range u.groups {
			for _, c := range g.Catalogs {
				for _, p := range list(c) {
					if !yield(int32(i), p) {
						return
					}
				}
			}
		}
	}
}

// allNames gives what packages are called. A name comes from each catalog that has it.
func (u *Universe) allNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, g := range u.groups {
			for _, c := range g.Catalogs {
				for name := range c.Names() {
					if !yield(name) {
						return
					}
				}
			}
		}
	}
}
