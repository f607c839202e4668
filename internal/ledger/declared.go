package ledger

import (
	"path"
	"slices"
	"strings"
)

// Kind is what sort of owner somebody is.
type Kind string

// The kinds.
const (
	Package       Kind = "package"
	Unit          Kind = "unit"          // that no package brought
	User          Kind = "user"          // whose home it is
	Configuration Kind = "configuration" // declares the path
	System        Kind = "system"        // has it in its var tree: nothing tells which script made it
	Stet          Kind = "stet"
)

// Owner says that a path is its own.
type Owner struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name,omitempty"` // of the package, unit or user
	By   string `json:"by,omitempty"`   // the file, unit or script that says so; none: it is shipped
}

// String names an owner in words.
func (o Owner) String() string {
	switch o.Kind {
	case Package:
		return o.Name
	case Unit:
		return o.Name
	case User:
		return "user " + o.Name
	case Configuration:
		return "the configuration"
	case System:
		return "the system"
	default:
		return string(o.Kind)
	}
}

func (o Owner) is(other Owner) bool { return o.Kind == other.Kind && o.Name == other.Name }

// rank says whose word counts where several claim a path: the lowest.
type rank int

const (
	declares rank = iota // the configuration, and Stet itself
	ships                // a package or unit says that the path is its own
	lives                // it is somebody's home
	around               // there is something below that somebody owns
	mentions             // a maintainer script names the path
	has                  // the var tree has it
)

// claim is who owns a path.
type claim struct {
	rank   rank
	owners []Owner
}

// Declared is what one system says of who owns what.
type Declared struct {
	claims   map[string]*claim
	patterns []pattern
	packages map[string]bool
	units    map[string]bool
	users    map[string]bool
}

// pattern is a claim of all paths that it matches.
type pattern struct {
	name   string
	before string // what paths that match begin with
	owner  Owner
}

func (p pattern) matches(name string) bool {
	if !strings.HasPrefix(name, p.before) {
		return false
	}
	ok, err := path.Match(p.name, name)
	return ok && err == nil
}

func newDeclared() *Declared {
	return &Declared{claims: map[string]*claim{}, packages: map[string]bool{}, units: map[string]bool{}, users: map[string]bool{}}
}

// claim notes that somebody owns a path, or all that a pattern matches.
func (d *Declared) claim(name string, r rank, owner Owner) {
	if isPattern(name) {
		before := name[:strings.IndexAny(name, `*?[`)]
		if _, ok := Place(path.Clean(before + "x")); ok {
			d.patterns = append(d.patterns, pattern{name, before, owner})
		}
		return
	}
	if !isState(name) {
		return
	}
	c, ok := d.claims[name]
	if !ok || r < c.rank {
		d.claims[name] = &claim{r, []Owner{owner}}
		return
	}
	if r == c.rank && !slices.ContainsFunc(c.owners, owner.is) {
		c.owners = append(c.owners, owner)
	}
}

// claimParents gives directories that nobody claims to those who have something in
// them: whoever makes that makes them, too.
func (d *Declared) claimParents() {
	var names []string
	for name := range d.claims {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for dir := path.Dir(name); isState(dir); dir = path.Dir(dir) {
			if c, ok := d.claims[dir]; ok && c.rank < around {
				break
			}
			for _, owner := range d.claims[name].owners {
				d.claim(dir, max(around, d.claims[name].rank), owner)
			}
		}
	}
	for _, c := range d.claims {
		slices.SortFunc(c.owners, func(a, b Owner) int { return strings.Compare(string(a.Kind)+" "+a.Name, string(b.Kind)+" "+b.Name) })
	}
}

// at gives those who own just this path.
func (d *Declared) at(name string) []Owner {
	if c, ok := d.claims[name]; ok && c.rank < mentions {
		return c.owners
	}
	if !isState(name) {
		return nil
	}
	var owners []Owner
	for _, p := range d.patterns {
		if p.matches(name) && !slices.ContainsFunc(owners, p.owner.is) {
			owners = append(owners, p.owner)
		}
	}
	if c, ok := d.claims[name]; ok && len(owners) == 0 {
		return c.owners
	}
	return owners
}

// knows reports whether an owner is there, whatever it says that it owns.
func (d *Declared) knows(o Owner) bool {
	switch o.Kind {
	case Package:
		return d.packages[o.Name]
	case Unit:
		return d.units[o.Name]
	case User:
		return d.users[o.Name]
	}
	return o.Kind == Stet
}
