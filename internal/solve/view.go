package solve

import (
	"cmp"
	"slices"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// view is a universe seen from a machine of one native architecture. It has the
// packages of the names that were asked for: of 70,000, a set reaches some thousand.
type view struct {
	*Universe
	native   string
	packages []member
	names    map[string]*name
}

// id is a package's index in view.packages.
type id int32

type member struct {
	*debian.Package
	group     int32
	preferred bool
	name      *name
}

// name is what a relation can hit: the packages so called, best version first,
// and those that provide the name.
type name struct {
	real      []id
	providers []provider
	provided  bool // providers were looked for
}

type provider struct {
	id id
	as *debian.Relation // with the qualifier of the provided name, and its version
}

func newView(u *Universe, native string) *view {
	names := make(map[string]*name, u.size/8) // about as many as both desktops ask for
	return &view{Universe: u, native: native, names: names}
}

// name is what a relation to that text can hit.
func (v *view) name(text string) *name {
	n := v.called(text)
	if !n.provided {
		n.provided = true
		v.addProviders(n, text)
	}
	return n
}

func (n *name) known() bool { return len(n.real)+len(n.providers) > 0 }

// called is name without the providers.
func (v *view) called(text string) *name {
	n, known := v.names[text]
	if known {
		return n
	}
	n = &name{}
	v.names[text] = n
	named := func(c *catalog.Catalog) []*debian.Package { return c.Named(text) }
	for group, p := range v.listed(named) {
		if slices.ContainsFunc(n.real, func(q id) bool { return twins(v.packages[q].Package, p) }) {
			continue
		}
		n.real = append(n.real, id(len(v.packages)))
		v.packages = append(v.packages, member{p, group, v.groups[group].Preferred, n})
	}
	slices.SortFunc(n.real, v.compareVersionsOfOne)
	return n
}

func (v *view) addProviders(n *name, text string) {
	providing := func(c *catalog.Catalog) []*debian.Package { return c.Providing(text) }
	for _, p := range v.listed(providing) {
		q, counts := v.idOf(p)
		if !counts {
			continue
		}
		for _, alternatives := range p.Provides {
			for i := range alternatives {
				if as := &alternatives[i]; as.Name == text {
					n.providers = append(n.providers, provider{q, as})
				}
			}
		}
	}
	slices.SortFunc(n.providers, func(a, b provider) int {
		return cmp.Or(v.compare(a.id, b.id), cmp.Compare(a.as.Arch, b.as.Arch), cmp.Compare(a.as.Version, b.as.Version))
	})
}

// idOf finds a package of the universe, unless a twin in an earlier group counts.
func (v *view) idOf(p *debian.Package) (q id, counts bool) {
	for _, q := range v.called(p.Name).real {
		if v.packages[q].Package == p {
			return q, true
		}
	}
	return 0, false
}

// versionsOf lists all packages of p's name, best version first.
func (v *view) versionsOf(p id) []id { return v.packages[p].name.real }

// twins reports whether two packages of one name are the same.
func twins(p, q *debian.Package) bool {
	return q.Version == p.Version && q.Architecture == p.Architecture && q.SHA256 == p.SHA256 && q.Filename == p.Filename
}

// compareVersionsOfOne orders packages of one name, best first; it is total.
func (v *view) compareVersionsOfOne(a, b id) int {
	p, q := &v.packages[a], &v.packages[b]
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
func (v *view) compare(a, b id) int {
	return cmp.Or(cmp.Compare(v.packages[a].Name, v.packages[b].Name), v.compareVersionsOfOne(a, b))
}
