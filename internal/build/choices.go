package build

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/unpack"
)

// choices are what decides, before the solver is asked, which version of some
// packages a machine gets.
type choices struct {
	pinned   []*debian.Package // those that a wish means, and no others
	versions map[string]string // by the wish's name
	kept     []*debian.Package // those of the old lock that stay where they are
}

// SuiteError says that a wish names an archive that does not have the package.
type SuiteError struct {
	Name, Suite, Version string
	Versions             []string // that the suite has
	Elsewhere            []string // "1.0 in trixie"
}

// Error implements error.
func (e *SuiteError) Error() string {
	what := e.Name
	if e.Version != "" {
		what += " " + e.Version
	}
	text := fmt.Sprintf("packages wants %s from %s, which does not have it", what, e.Suite)
	switch {
	case len(e.Versions) > 0:
		return text + ": it has " + strings.Join(e.Versions, ", ")
	case len(e.Elsewhere) > 0:
		return text + ": there is " + strings.Join(e.Elsewhere, ", ")
	}
	return text
}

// choices decides for one machine. What it had is known by its name.
func (r *resolver) choices(ctx context.Context, name string, w wishes, indices []index) (choices, error) {
	c := choices{versions: map[string]string{}}
	had := r.had(name, w)
	names := map[string]bool{} // whose kept version is decided by their wish
	for wished, wish := range w.Packages {
		plain, architecture := splitWish(wished, w.Architecture)
		before, hasBefore := had[plain+":"+architecture]
		switch {
		case wish.Local != nil:
			p, err := r.local(wish.Local)
			if err != nil {
				return c, fmt.Errorf("packages.%s.local: %w", wished, err)
			}
			c.pinned = append(c.pinned, p)
			c.versions[wished], names[plain] = p.Version, true
		case wish.Version != "" && wish.Suite == "":
			c.versions[wished], names[plain] = wish.Version, true
		case wish.Hold && hasBefore && (wish.Version == "" || wish.Version == before.Version):
			c.versions[wished] = before.Version
		case wish.Suite != "":
			of := indices[slices.IndexFunc(indices, func(i index) bool { return i.name == wish.Suite })]
			if hasBefore && before.Archive == of.id && !r.moves(before, w, indices) && (wish.Version == "" || wish.Version == before.Version) {
				c.versions[wished] = before.Version
				continue
			}
			p, err := newestOf(of, indices, wished, plain, architecture, wish)
			if err != nil {
				return c, err
			}
			c.pinned = append(c.pinned, p)
			c.versions[wished], names[plain] = p.Version, true
		case hasBefore && before.Archive != "" && standingOf(indices, before.Archive) != own && ownHas(indices, before):
			names[plain] = true // it came from where nobody asks for it any more
		}
	}
	slices.SortFunc(c.pinned, func(a, b *debian.Package) int { return keyOf(a).Compare(keyOf(b)) })
	var err error
	c.kept, err = r.kept(ctx, name, w, indices, names)
	return c, err
}

// splitWish splits "name:architecture".
func splitWish(wished, native string) (name, architecture string) {
	name, architecture, found := strings.Cut(wished, ":")
	if !found {
		architecture = native
	}
	return name, architecture
}

func standingOf(indices []index, id string) standing {
	for _, i := range indices {
		if i.id == id {
			return i.standing
		}
	}
	return own
}

// ownHas reports whether an archive has a package that is taken by itself.
func ownHas(indices []index, p lock.Package) bool {
	return slices.ContainsFunc(indices, func(i index) bool {
		return i.standing == own && slices.ContainsFunc(i.named(p.Name), func(q *debian.Package) bool {
			return q.Architecture == p.Architecture
		})
	})
}

// had are the packages that the old lock gives a machine, by name and
// architecture ("all" is the native one).
func (r *resolver) had(machine string, w wishes) map[string]lock.Package {
	had := map[string]lock.Package{}
	for _, p := range r.old.Select(r.old.Machines[machine].Packages) {
		architecture := p.Architecture
		if architecture == "all" {
			architecture = w.Architecture
		}
		had[p.Name+":"+architecture] = p
	}
	return had
}

// newestOf is the highest version of a package that an archive has.
func newestOf(of index, all []index, wished, name, architecture string, w wish) (*debian.Package, error) {
	var best *debian.Package
	wrong := &SuiteError{Name: wished, Suite: of.name, Version: w.Version}
	for _, i := range all {
		for _, p := range i.named(name) {
			if p.Architecture != architecture && p.Architecture != "all" {
				continue
			}
			switch {
			case i.id != of.id:
				wrong.Elsewhere = append(wrong.Elsewhere, p.Version+" in "+i.name)
			case w.Version != "" && p.Version != w.Version:
				wrong.Versions = append(wrong.Versions, p.Version)
			case best == nil || debian.CompareVersions(best.Version, p.Version) < 0:
				best = p
			}
		}
	}
	if best == nil {
		return nil, wrong
	}
	return best, nil
}

// moves reports whether a package need not stay at its locked version.
func (r *resolver) moves(p lock.Package, w wishes, indices []index) bool {
	for wished, wish := range w.Packages {
		if name, _ := splitWish(wished, w.Architecture); name == p.Name && wish.Hold {
			return false
		}
	}
	u := r.update
	return u.All || u.Packages[p.Name] || u.Security && r.fixIn(p, indices) != ""
}

// fixIn names the security archive that has a newer version of p.
func (r *resolver) fixIn(p lock.Package, indices []index) string {
	for _, i := range indices {
		if i.archive.Name == securityArchive && debian.CompareVersions(i.newest(p.Name, p.Architecture), p.Version) > 0 {
			return i.id
		}
	}
	return ""
}

// newest is the highest version of a package that an archive has, or "".
func (i index) newest(name, architecture string) string {
	highest := ""
	for _, p := range i.named(name) {
		if p.Architecture == architecture && (highest == "" || debian.CompareVersions(highest, p.Version) < 0) {
			highest = p.Version
		}
	}
	return highest
}

// kept gives the packages of the old lock that stay where they are, in a
// machine that has their archives: its own, and those of other machines, so
// that all get the same. What is no longer listed is read from its .deb.
func (r *resolver) kept(ctx context.Context, machine string, w wishes, indices []index, decided map[string]bool) ([]*debian.Package, error) {
	var stay []lock.Package
	mine := map[lock.Key]bool{}
	for _, key := range r.old.Machines[machine].Packages {
		mine[key] = true
	}
	for _, p := range r.old.Packages {
		if p.Synthetic || p.Local || !r.same(p.Archive, indices) || r.moves(p, w, indices) {
			continue
		}
		if p.Architecture != "all" && !slices.Contains(w.architectures(), p.Architecture) {
			continue // another machine's
		}
		if decided[p.Name] || !mine[p.Key()] && standingOf(indices, p.Archive) != own {
			continue
		}
		stay = append(stay, p)
	}
	listed, bytes := listings(stay, indices)
	var out []*debian.Package
	for _, p := range stay {
		at := place{p.SHA256, p.Path}
		found := cmp.Or(listed[at], bytes[p.SHA256]) // equal bytes elsewhere: it has moved on
		if found == nil {
			var err error
			if found, err = r.readKept(ctx, p); err != nil {
				return nil, err
			}
			r.origins[at] = p.Archive
		}
		out = append(out, found)
	}
	return out, nil
}

// listings are the packages of some names in indices, by their place and by their
// bytes; of equal bytes the first.
func listings(wanted []lock.Package, indices []index) (listed map[place]*debian.Package, bytes map[string]*debian.Package) {
	listed, bytes = map[place]*debian.Package{}, map[string]*debian.Package{}
	for _, i := range indices {
		for _, want := range wanted {
			for _, p := range i.named(want.Name) {
				if bytes[p.SHA256] == nil {
					bytes[p.SHA256] = p
				}
				listed[placeOf(p)] = p
			}
		}
	}
	return listed, bytes
}

// same reports whether a machine has the archive that a package was locked
// from, at the snapshot that it had then.
func (r *resolver) same(id string, indices []index) bool {
	before, ok := r.old.Archive(id)
	return ok && slices.ContainsFunc(indices, func(i index) bool {
		return i.id == id && i.archive.Snapshot.Equal(before.Snapshot) && i.archive.Suite == before.Suite && (i.archive.URL != "") == before.Repository
	})
}

func (r *resolver) readKept(ctx context.Context, p lock.Package) (*debian.Package, error) {
	l := r.locker
	if _, ok := unpack.Remembered(l.Store, p.SHA256); !ok {
		if err := l.fetch(ctx, r.repositories, r.old, []lock.Package{p}); err != nil {
			return nil, fmt.Errorf("%s %s is locked, but no longer listed: %w", p.Name, p.Version, err)
		}
		if err := unpackOne(l.Store, l, p, runtime.GOMAXPROCS(0)); err != nil {
			return nil, err
		}
	}
	loaded, err := loadOne(l.Store, p)
	if err != nil {
		return nil, err
	}
	found := loaded.Package
	found.Filename, found.Size, found.SHA256 = p.Path, p.Size, p.SHA256
	return &found, nil
}
