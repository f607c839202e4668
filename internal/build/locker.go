package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"time"

	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/mirror"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/solve"
	"stet/internal/store"
	"stet/internal/unpack"
)

// Locker resolves what machines wish, fetches it and proves that it can be
// configured.
type Locker struct {
	Store    *store.Store
	Mirror   *mirror.Client
	Provider rootfs.Provider
	Report   progress.Func
	Now      time.Time // signatures and Valid-Until are judged at this time
}

// Update says what of an old lock may move.
type Update struct {
	All      bool            // everything, and the epoch
	Packages map[string]bool // these, by name
}

// moves reports whether a package need not stay at its locked version.
func (u Update) moves(name string) bool { return u.All || u.Packages[name] }

// None reports whether nothing moves.
func (u Update) None() bool { return !u.All && len(u.Packages) == 0 }

// Lock gives the lock of all machines of a repository. The old lock may be
// nil; what it has stays, unless update says otherwise. When the old lock
// answers every wish, it is given back and the network is not touched.
func (l *Locker) Lock(ctx context.Context, machines map[string]*machine.Machine, old *lock.Lock, update Update) (*lock.Lock, error) {
	if old == nil {
		old, update = &lock.Lock{}, Update{All: true}
	}
	if update.None() && UpToDate(machines, old) {
		return old, nil
	}
	next, _, err := l.Resolve(ctx, machines, old, update)
	if err != nil {
		return nil, err
	}
	if err := l.bring(ctx, next, machines); err != nil {
		return nil, err
	}
	if err := l.prove(ctx, machines, next); err != nil {
		return nil, err
	}
	if err := next.Check(); err != nil {
		return nil, fmt.Errorf("write stet.lock: %w", err)
	}
	return next, l.Store.Publish()
}

// UpToDate reports whether a lock answers every wish of every machine.
func UpToDate(machines map[string]*machine.Machine, l *lock.Lock) bool {
	if l == nil || len(machines) != len(l.Machines) {
		return false
	}
	for name, m := range machines {
		if _, err := Locked(m, l); err != nil || l.Machines[name].Result.Stage != rootfs.Stage {
			return false
		}
	}
	return true
}

// Resolve gives the lock without proof: packages chosen, nothing fetched but
// indices. The solutions, by machine, have the reasons.
func (l *Locker) Resolve(ctx context.Context, machines map[string]*machine.Machine, old *lock.Lock, update Update) (*lock.Lock, map[string]*solve.Solution, error) {
	if old == nil {
		old, update = &lock.Lock{}, Update{All: true}
	}
	next := &lock.Lock{
		Epoch: old.Epoch, Machines: map[string]lock.Machine{},
		IDs: lock.IDs{Users: maps.Clone(old.IDs.Users), Groups: maps.Clone(old.IDs.Groups)},
	}
	r := resolver{locker: l, next: next, old: old, update: update, universes: map[string]*solve.Universe{}, origins: map[string]string{}, chosen: map[lock.Key]lock.Package{}}
	solutions := map[string]*solve.Solution{}
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		w := wishesOf(machines[name])
		universe, err := r.universe(ctx, w)
		if err != nil {
			return nil, nil, err
		}
		solution, err := solve.Solve(universe, w.request())
		if err != nil {
			return nil, nil, fmt.Errorf("machine %s: %w", name, err)
		}
		solutions[name] = solution
		next.Machines[name] = lock.Machine{Wishes: w.digest(), Packages: r.choose(solution)}
		tools, err := solve.Solve(universe, toolRequest(w.Architecture))
		if err != nil {
			return nil, nil, fmt.Errorf("tools: %w", err)
		}
		next.Tools = append(next.Tools, r.choose(tools)...)
	}
	slices.SortFunc(next.Tools, lock.Key.Compare)
	next.Tools = slices.Compact(next.Tools)
	next.Packages = slices.Collect(maps.Values(r.chosen))
	if update.All || next.Epoch == 0 {
		for _, a := range next.Archives {
			next.Epoch = max(next.Epoch, a.Date.Unix())
		}
	}
	next.Sort()
	return next, solutions, nil
}

// resolver gathers the archives and packages of one lock.
type resolver struct {
	locker    *Locker
	next, old *lock.Lock
	update    Update
	universes map[string]*solve.Universe
	origins   map[string]string // SHA-256 of a .deb to its archive's id
	chosen    map[lock.Key]lock.Package
}

// universe is every package that a machine of these wishes may have.
func (r *resolver) universe(ctx context.Context, w wishes) (*solve.Universe, error) {
	id := fmt.Sprint(w.Suite, w.Components, w.architectures())
	if u, ok := r.universes[id]; ok {
		return u, nil
	}
	index, err := r.index(ctx, w)
	if err != nil {
		return nil, err
	}
	own, err := synthetic()
	if err != nil {
		return nil, err
	}
	held, err := r.held(ctx, index)
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(p *debian.Package) bool { // another machine's
		return p.Architecture != "all" && !slices.Contains(w.architectures(), p.Architecture)
	})
	u := solve.NewUniverse(
		solve.Group{Packages: own, Preferred: true},
		solve.Group{Packages: held, Preferred: true},
		solve.Group{Packages: index},
	)
	r.universes[id] = u
	return u, nil
}

// index reads the signed indices of a suite and notes the archive.
func (r *resolver) index(ctx context.Context, w wishes) ([]*debian.Package, error) {
	r.locker.Report.Report(progress.Event{Stage: "read indices", Detail: w.Suite})
	archive := mirror.Archive{Name: "debian", Suite: w.Suite}
	release, err := r.locker.Mirror.Release(ctx, archive, r.locker.Now)
	if err != nil {
		return nil, err
	}
	note := lock.Archive{
		ID: w.Suite, Name: archive.Name, Suite: archive.Suite, Components: slices.Clone(w.Components), Architectures: slices.Sorted(slices.Values(w.architectures())),
		Date: release.Date.UTC(), SHA256: release.SHA256, Signers: slices.Clone(release.Signers),
	}
	r.note(note)
	var out []*debian.Package
	for _, component := range w.Components {
		for _, architecture := range w.architectures() {
			packages, err := r.locker.Mirror.Index(ctx, release, component, architecture)
			if err != nil {
				return nil, err
			}
			out = append(out, packages...)
		}
	}
	for _, p := range out {
		r.origins[p.SHA256] = note.ID
	}
	return out, nil
}

// note adds an archive, or joins it with one of the same id.
func (r *resolver) note(a lock.Archive) {
	for i := range r.next.Archives {
		if have := &r.next.Archives[i]; have.ID == a.ID {
			have.Components = slices.Compact(slices.Sorted(slices.Values(append(have.Components, a.Components...))))
			have.Architectures = slices.Compact(slices.Sorted(slices.Values(append(have.Architectures, a.Architectures...))))
			return
		}
	}
	r.next.Archives = append(r.next.Archives, a)
}

// held gives the packages of the old lock that stay where they are. What a
// mirror no longer lists is read from its .deb.
func (r *resolver) held(ctx context.Context, index []*debian.Package) ([]*debian.Package, error) {
	listed := map[string]*debian.Package{}
	for _, p := range index {
		listed[p.SHA256] = p
	}
	var out []*debian.Package
	for _, p := range r.old.Packages {
		if p.Synthetic || r.update.moves(p.Name) {
			continue
		}
		if found, ok := listed[p.SHA256]; ok {
			out = append(out, found)
			continue
		}
		read, err := r.readHeld(ctx, p)
		if err != nil {
			return nil, err
		}
		r.origins[p.SHA256] = p.Archive
		if a, ok := r.old.Archive(p.Archive); ok {
			r.note(a)
		}
		out = append(out, read)
	}
	return out, nil
}

func (r *resolver) readHeld(ctx context.Context, p lock.Package) (*debian.Package, error) {
	l := r.locker
	if _, ok := unpack.Remembered(l.Store, p.SHA256); !ok {
		if err := l.fetch(ctx, r.old, []lock.Package{p}); err != nil {
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

// choose adds a solution's packages to the lock and gives their keys.
func (r *resolver) choose(s *solve.Solution) []lock.Key {
	keys := make([]lock.Key, 0, len(s.Packages))
	for i := range s.Packages {
		p := &s.Packages[i].Package
		key := keyOf(p)
		keys = append(keys, key)
		if p.SHA256 == syntheticSHA256() {
			r.chosen[key] = lock.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Synthetic: true}
			continue
		}
		r.chosen[key] = lock.Package{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture,
			Archive: r.origins[p.SHA256], Size: p.Size, SHA256: p.SHA256, Path: p.Filename,
		}
	}
	return keys
}

// Fetch brings every package of a lock here that is not unpacked yet.
func (l *Locker) Fetch(ctx context.Context, of *lock.Lock) error { return l.bring(ctx, of, nil) }

// bring is Fetch, and configures the machines' bases meanwhile.
func (l *Locker) bring(ctx context.Context, of *lock.Lock, machines map[string]*machine.Machine) error {
	missing := missingOf(l.Store, of.Packages)
	for range len(missing) + 1 {
		if err := l.fetch(ctx, of, missing); err != nil {
			return err
		}
		err := unpackAll(ctx, l.Store, l, missing, l.bases(of, machines), l.Report)
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			// It is fetched once more; a mirror cannot give it damaged.
			if err := l.Mirror.Remove(debOf(damaged.Package)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return l.Store.Publish() // what comes next may fail without losing this
	}
	return errors.New("packages are damaged as soon as they are written: the store's disk is broken")
}

// bases gives the bases of machines, each once.
func (l *Locker) bases(of *lock.Lock, machines map[string]*machine.Machine) []early {
	var out []early
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		for _, base := range earlyBase(l.Store, l, l.roots(), of.Select(of.Machines[name].Packages), machines[name].Debian.Architecture, of.Epoch) {
			if slices.ContainsFunc(out, base.same) {
				continue
			}
			configure := base.configure
			base.configure = func(ctx context.Context) error {
				if err := configure(ctx); err != nil {
					return fmt.Errorf("machine %s: %w", name, err)
				}
				return nil
			}
			out = append(out, base)
		}
	}
	return out
}

func (l *Locker) roots() rootfs.Builder {
	return rootfs.Builder{Store: l.Store, Provider: l.Provider, Report: l.Report}
}

func (l *Locker) fetch(ctx context.Context, of *lock.Lock, packages []lock.Package) error {
	keys := make([]lock.Key, 0, len(packages))
	for _, p := range packages {
		keys = append(keys, p.Key())
	}
	return l.Mirror.Fetch(ctx, mirror.Locked(of, keys))
}

// Open implements [Debs]: a fetched package.
func (l *Locker) Open(p lock.Package) (*os.File, error) {
	return l.Mirror.Open(debOf(p))
}

// debOf names a package of the cache.
func debOf(p lock.Package) mirror.Deb {
	return mirror.Deb{Name: p.Name, Version: p.Version, Architecture: p.Architecture, SHA256: p.SHA256, Size: p.Size}
}
