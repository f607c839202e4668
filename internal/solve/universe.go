package solve

import (
	"cmp"
	"slices"
	"sync"

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

	called    *names
	reals     []id // by name
	provided  *names
	providers []provider // by provided name

	// eminent are the packages that are Essential or of a Priority other than
	// optional: of 70,000 some hundred, and each base is among them.
	eminent []id
}

// id is a package's index in Universe.packages.
type id int32

type member struct {
	*debian.Package
	group     int32
	preferred bool
	name      int32 // its number in called
}

// name is what a relation to that text can hit.
func (u *Universe) name(text string) name {
	var n name
	if called := u.called.find(text); called >= 0 {
		n.real = u.realsOf(called)
	}
	if provided := u.provided.find(text); provided >= 0 {
		begin, end := u.provided.span(provided)
		n.providers = u.providers[begin:end]
	}
	return n
}

func (n name) known() bool { return len(n.real)+len(n.providers) > 0 }

// versionsOf lists all packages of p's name, best version first.
func (u *Universe) versionsOf(p id) []id { return u.realsOf(u.packages[p].name) }

func (u *Universe) realsOf(called int32) []id {
	begin, end := u.called.span(called)
	return u.reals[begin:end]
}

// NewUniverse indexes the groups, most preferred first. It keeps the packages:
// the caller must not change them afterwards. Of two equal packages (name,
// version, architecture, bytes) the earlier group's is kept.
func NewUniverse(groups ...Group) *Universe {
	total := 0
	for _, g := range groups {
		total += len(g.Packages)
	}
	// An archive has as many provided names as packages, so each half of the
	// work is done beside the other.
	u := &Universe{packages: make([]member, 0, total)}
	var beside sync.WaitGroup
	var numbers []int32
	beside.Go(func() { numbers = u.numberProvided(groups) })
	taken := u.addPackages(groups, total)
	beside.Wait()
	beside.Go(func() { u.addProviders(groups, taken, numbers) })
	u.addReals()
	beside.Wait()
	return u
}

// addPackages takes every package once, and tells which of the groups' it took.
func (u *Universe) addPackages(groups []Group, total int) (taken []bool) {
	taken = make([]bool, 0, total)
	u.called = newNames(total)
	last := make([]id, 0, total) // of a name: the last package so called
	next := make([]id, 0, total) // of a package: the one before it of the same name, or -1
	for gi, g := range groups {
	packages:
		for _, p := range g.Packages {
			n := u.called.add(p.Name)
			if int(n) == len(last) {
				last = append(last, -1)
			}
			for q := last[n]; q >= 0; q = next[q] {
				if twins(u.packages[q].Package, p) {
					taken = append(taken, false)
					continue packages
				}
			}
			taken = append(taken, true)
			next = append(next, last[n])
			last[n] = id(len(u.packages))
			u.packages = append(u.packages, member{p, int32(gi), g.Preferred, n})
		}
	}
	return taken
}

// addReals sorts the packages of each name.
func (u *Universe) addReals() {
	of := make([]int32, len(u.packages))
	for i := range u.packages {
		of[i] = u.packages[i].name
	}
	u.reals = make([]id, len(of))
	u.called.group(of, func(thing int, place int32) { u.reals[place] = id(thing) })
	for n := range u.called.texts {
		if reals := u.realsOf(int32(n)); len(reals) > 1 {
			slices.SortFunc(reals, u.compareVersionsOfOne)
		}
	}
}

// numberProvided numbers the provided names and lists them, package by package.
func (u *Universe) numberProvided(groups []Group) []int32 {
	count := 0
	for _, g := range groups {
		for _, p := range g.Packages {
			count += len(p.Provides)
		}
	}
	u.provided = newNames(count)
	numbers := make([]int32, 0, count)
	for _, g := range groups {
		for _, p := range g.Packages {
			for _, alternatives := range p.Provides {
				for i := range alternatives {
					numbers = append(numbers, u.provided.add(alternatives[i].Name))
				}
			}
		}
	}
	return numbers
}

// addProviders sorts the providers of each provided name, and notes the eminent
// packages on its way.
func (u *Universe) addProviders(groups []Group, taken []bool, numbers []int32) {
	of, all := make([]int32, 0, len(numbers)), make([]provider, 0, len(numbers))
	q, thing := id(0), 0
	for _, g := range groups {
		for _, p := range g.Packages {
			for _, alternatives := range p.Provides {
				for i := range alternatives {
					if taken[0] {
						of, all = append(of, numbers[thing]), append(all, provider{q, &alternatives[i]})
					}
					thing++
				}
			}
			if taken[0] {
				if p.Essential || p.Priority != ordinary {
					u.eminent = append(u.eminent, q)
				}
				q++
			}
			taken = taken[1:]
		}
	}
	u.providers = make([]provider, len(all))
	u.provided.group(of, func(thing int, place int32) { u.providers[place] = all[thing] })
	for n := range u.provided.texts {
		begin, end := u.provided.span(int32(n))
		if end-begin > 1 {
			slices.SortFunc(u.providers[begin:end], func(a, b provider) int {
				return cmp.Or(u.compare(a.id, b.id), cmp.Compare(a.as.Arch, b.as.Arch), cmp.Compare(a.as.Version, b.as.Version))
			})
		}
	}
}

// ordinary is the Priority that nearly every package has (Debian Policy 2.5).
const ordinary = "optional"

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
