package build

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/mirror"
	"stet/internal/solve"
)

// Resolved is a lock and what there is to say about how it came about.
type Resolved struct {
	Lock      *lock.Lock
	Solutions map[string]*solve.Solution // by machine: the reasons
	Fixes     map[lock.Key]string        // packages that moved and have a fix: the security archive that has it
	Held      []Held
}

// Held is a package that would have moved, were it not for its hold.
type Held struct {
	Machine, Name, Version string
	Newer, Archive         string // what there is, and where
}

// Resolve gives the lock without proof: packages chosen, nothing fetched but
// indices.
func (l *Locker) Resolve(ctx context.Context, machines map[string]*machine.Machine, old *lock.Lock, update Update) (*Resolved, error) {
	if old == nil {
		old, update = &lock.Lock{}, Update{All: true}
	}
	next := &lock.Lock{
		Epoch: old.Epoch, Machines: map[string]lock.Machine{},
		IDs: lock.IDs{Users: maps.Clone(old.IDs.Users), Groups: maps.Clone(old.IDs.Groups)},
	}
	repositories, err := repositoriesOf(machines)
	if err != nil {
		return nil, err
	}
	r := resolver{
		locker: l, next: next, old: old, update: update, repositories: repositories, ids: idsOf(machines),
		read: map[string]index{}, origins: map[place]string{}, locals: map[place]bool{},
		universes: map[string]*solve.Universe{}, chosen: map[lock.Key]lock.Package{},
		resolved: &Resolved{Lock: next, Solutions: map[string]*solve.Solution{}, Fixes: map[lock.Key]string{}},
	}
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		if err := r.machine(ctx, machines[name]); err != nil {
			return nil, err
		}
	}
	r.finish()
	return r.resolved, nil
}

// resolver gathers the archives and packages of one lock.
type resolver struct {
	locker       *Locker
	next, old    *lock.Lock
	update       Update
	repositories map[string]mirror.Archive
	ids          map[suiteAt]string
	read         map[string]index
	origins      map[place]string // to the archive's id
	locals       map[place]bool   // what the repository has
	universes    map[string]*solve.Universe
	chosen       map[lock.Key]lock.Package
	resolved     *Resolved
}

// machine resolves one machine, and the tools as it would have them.
func (r *resolver) machine(ctx context.Context, m *machine.Machine) error {
	w := wishesOf(m)
	sources, err := sourcesOf(m, r.ids)
	if err != nil {
		return err
	}
	indices, err := r.indices(ctx, sources, w.architectures())
	if err != nil {
		return err
	}
	c, err := r.choices(ctx, m.Name, w, indices)
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	universe, err := r.universe(indices, c)
	if err != nil {
		return err
	}
	solution, err := solve.Solve(universe, w.request(c.versions))
	if err != nil {
		return fmt.Errorf("machine %s: %w%s", m.Name, err, unserved(w, indices))
	}
	keys, err := r.choose(solution, indices)
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	r.resolved.Solutions[m.Name] = solution
	r.next.Machines[m.Name] = lock.Machine{Wishes: w.digest(), Packages: keys}
	r.noteFixes(keys, indices)
	r.noteHeld(m.Name, w, indices)
	tools, err := solve.Solve(universe, toolRequest(w.Architecture))
	if err != nil {
		return fmt.Errorf("tools: %w", err)
	}
	if keys, err = r.choose(tools, indices); err != nil {
		return fmt.Errorf("tools: %w", err)
	}
	r.next.Tools = append(r.next.Tools, keys...)
	return nil
}

// universe is every package that a machine may have, in apt's order: what is
// there already, then by the standing of the archives.
func (r *resolver) universe(indices []index, c choices) (*solve.Universe, error) {
	key := ""
	for _, i := range indices {
		key += fmt.Sprint(i.id, i.components, i.standing, " ")
		for _, c := range i.catalogs {
			key += fmt.Sprint(c.Len(), " ")
		}
	}
	for _, list := range [][]*debian.Package{c.pinned, c.kept} {
		key += "\n"
		for _, p := range list {
			key += p.SHA256 + p.Filename + " "
		}
	}
	if u, ok := r.universes[key]; ok {
		return u, nil
	}
	made, err := synthetic()
	if err != nil {
		return nil, err
	}
	var groups []solve.Group
	for _, list := range [][]*debian.Package{c.pinned, made, c.kept} {
		groups = append(groups, solve.Group{Catalogs: []*catalog.Catalog{catalog.New(list)}, Preferred: true})
	}
	for s := own; s <= remote; s++ {
		var together []*catalog.Catalog
		for _, i := range indices {
			if i.standing == s {
				together = append(together, i.catalogs...)
			}
		}
		groups = append(groups, solve.Group{Catalogs: together})
	}
	u := solve.NewUniverse(groups...)
	r.universes[key] = u
	return u, nil
}

// choose adds a solution's packages to the lock and gives their keys.
func (r *resolver) choose(s *solve.Solution, indices []index) ([]lock.Key, error) {
	r.locate(s, indices)
	keys := make([]lock.Key, 0, len(s.Packages))
	for i := range s.Packages {
		p := &s.Packages[i].Package
		key := keyOf(p)
		keys = append(keys, key)
		chosen := lock.Package{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture,
			Size: p.Size, SHA256: p.SHA256, Path: p.Filename,
		}
		switch {
		case p.SHA256 == syntheticSHA256():
			chosen = lock.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Synthetic: true}
		case r.locals[placeOf(p)]:
			chosen.Local = true
		default:
			chosen.Archive = r.origins[placeOf(p)]
		}
		if before, twice := r.chosen[key]; twice && before.SHA256 != chosen.SHA256 {
			return nil, &TwoPackagesError{before, chosen}
		} else if !twice {
			r.chosen[key] = chosen
		}
	}
	return keys, nil
}

// TwoPackagesError says that machines have different packages of one name,
// version and architecture.
type TwoPackagesError struct{ First, Second lock.Package }

// Error implements error.
func (e *TwoPackagesError) Error() string {
	from := func(p lock.Package) string {
		if p.Local {
			return p.Path
		}
		return p.Archive
	}
	return fmt.Sprintf("%s %s of %s and that of %s are different packages of one version, which one stet.lock cannot have",
		e.First.Name, e.First.Version, from(e.First), from(e.Second))
}

// noteFixes remembers which packages moved past a fix of security.
func (r *resolver) noteFixes(keys []lock.Key, indices []index) {
	for _, key := range keys {
		if _, same := r.old.Package(key); same {
			continue
		}
		for _, before := range r.old.Packages {
			if before.Name != key.Name || before.Architecture != key.Architecture || before.Archive == "" {
				continue
			}
			if id := r.fixIn(before, indices); id != "" && debian.CompareVersions(before.Version, key.Version) < 0 {
				r.resolved.Fixes[key] = id
			}
		}
	}
}

// noteHeld remembers what a hold keeps from moving.
func (r *resolver) noteHeld(machine string, w wishes, indices []index) {
	if r.update.None() {
		return
	}
	had := r.had(machine, w)
	for wished, wish := range w.Packages {
		name, architecture := splitWish(wished, w.Architecture)
		before, ok := had[name+":"+architecture]
		if !wish.Hold || !ok {
			continue
		}
		held := Held{Machine: machine, Name: wished, Version: before.Version, Newer: before.Version}
		for _, i := range indices {
			if i.standing != own && i.name != wish.Suite || r.update.Security && !r.update.All && i.archive.Name != securityArchive {
				continue
			}
			newer := i.newest(name, before.Architecture)
			if debian.CompareVersions(newer, held.Newer) > 0 || newer == held.Newer && i.archive.Name == securityArchive {
				held.Newer, held.Archive = newer, i.id
			}
		}
		if held.Newer != before.Version {
			r.resolved.Held = append(r.resolved.Held, held)
		}
	}
	slices.SortFunc(r.resolved.Held, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Name, b.Name))
	})
}

// finish brings everything together.
func (r *resolver) finish() {
	next := r.next
	slices.SortFunc(next.Tools, lock.Key.Compare)
	next.Tools = slices.Compact(next.Tools)
	next.Packages = slices.Collect(maps.Values(r.chosen))
	if r.update.All || next.Epoch == 0 {
		next.Epoch = 0
		for _, a := range next.Archives {
			next.Epoch = max(next.Epoch, a.Date.Unix())
		}
	}
	next.Sort()
}
