package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/mirror"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/tree"
)

// Locker resolves what machines wish, fetches it and proves that it can be
// configured.
type Locker struct {
	Store      *store.Store
	Mirror     *mirror.Client
	Provider   rootfs.Provider
	Repository string // directory of the configuration, which has local .debs
	Report     progress.Func
	Observe    graph.Observer
	Patience   time.Duration // see rootfs.Builder
	Now        time.Time     // signatures and Valid-Until are judged at this time

	// Given are numbers of accounts that no lock has: they get them again when one
	// has them, and nobody else does.
	Given Numbers
}

// Update says what of an old lock may move.
type Update struct {
	All      bool            // everything, and the epoch
	Packages map[string]bool // these, by name
	Security bool            // what a security archive has a newer version of

	// Older are archives, by their names in the lock, whose Release may be
	// older than the locked one.
	Older map[string]bool
}

// None reports whether nothing moves.
func (u Update) None() bool { return !u.All && len(u.Packages) == 0 && !u.Security }

// Lock gives the lock of all machines of a repository. The old lock may be
// nil; what it has stays, unless update says otherwise. When the old lock
// answers every wish, it is given back and the network is not touched.
func (l *Locker) Lock(ctx context.Context, machines map[string]*machine.Machine, old *lock.Lock, update Update) (*Resolved, error) {
	if old != nil && update.None() && UpToDate(machines, old) {
		return &Resolved{Lock: old}, nil
	}
	resolved, err := l.Resolve(ctx, machines, old, update)
	if err != nil {
		return nil, err
	}
	next := resolved.Lock
	if err := l.bring(ctx, machines, next, func() []*early { return l.layers(next, machines) }); err != nil {
		return nil, err
	}
	if err := l.prove(ctx, machines, next); err != nil {
		return nil, err
	}
	if err := next.Check(); err != nil {
		return nil, fmt.Errorf("write stet.lock: %w", err)
	}
	return resolved, l.Store.Publish()
}

// UpToDate reports whether a lock answers every wish of every machine.
func UpToDate(machines map[string]*machine.Machine, l *lock.Lock) bool {
	if l == nil || len(machines) != len(l.Machines) || !hasTools(l) {
		return false
	}
	for name, m := range machines {
		if _, err := Locked(m, l); err != nil || l.Machines[name].Result.Stage != rootfs.Stage {
			return false
		}
	}
	return true
}

// Fetch brings every package of a lock here that is not unpacked yet. The
// machines know where the repositories are that the lock names.
func (l *Locker) Fetch(ctx context.Context, machines map[string]*machine.Machine, of *lock.Lock) error {
	return l.bring(ctx, machines, of, func() []*early { return nil })
}

// bring is Fetch, and configures layers meanwhile.
func (l *Locker) bring(ctx context.Context, machines map[string]*machine.Machine, of *lock.Lock, layers func() []*early) error {
	repositories, err := repositoriesOf(machines)
	if err != nil {
		return err
	}
	missing := missingOf(l.Store, of.Packages)
	for range len(missing) + 1 {
		if err := l.fetch(ctx, repositories, of, missing); err != nil {
			return err
		}
		err := unpackAll(ctx, l.Store, l, missing, layers(), l.Report, l.Observe)
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

// layers gives the layers of machines, each once.
func (l *Locker) layers(of *lock.Lock, machines map[string]*machine.Machine) []*early {
	var out []*early
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		for _, layer := range earlyLayers(l.Store, l, l.roots(), of.Select(of.Machines[name].Packages), machines[name], of.Epoch) {
			if slices.ContainsFunc(out, func(other *early) bool { return same(other.packages, layer.packages) }) {
				continue
			}
			configure := layer.configure
			layer.configure = func(ctx context.Context) (*tree.Tree, error) {
				left, err := configure(ctx)
				if err != nil {
					return nil, fmt.Errorf("machine %s: %w", name, err)
				}
				return left, nil
			}
			out = append(out, layer)
		}
	}
	return out
}

func (l *Locker) roots() rootfs.Builder {
	return rootfs.Builder{Store: l.Store, Provider: l.Provider, Report: l.Report, Observe: l.Observe, Patience: l.Patience}
}

func (l *Locker) fetch(ctx context.Context, repositories map[string]mirror.Archive, of *lock.Lock, packages []lock.Package) error {
	keys := make([]lock.Key, 0, len(packages))
	for _, p := range packages {
		keys = append(keys, p.Key())
	}
	debs, err := mirror.Locked(of, keys, repositories)
	if err != nil {
		return err
	}
	return l.Mirror.Fetch(ctx, debs)
}

// Open implements [Debs]: a fetched package, or one of the repository.
func (l *Locker) Open(p lock.Package) (*os.File, error) {
	if p.Local {
		return OpenLocal(l.Repository, p)
	}
	return l.Mirror.Open(debOf(p))
}

// debOf names a package of the cache.
func debOf(p lock.Package) mirror.Deb {
	return mirror.Deb{Name: p.Name, Version: p.Version, Architecture: p.Architecture, SHA256: p.SHA256, Size: p.Size}
}
