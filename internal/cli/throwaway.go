package cli

import (
	"context"
	"errors"
	"slices"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/store"
)

// throwawayOptions are those of `stet shell -p`.
type throwawayOptions struct {
	packages []string
	flag     mirrorFlag
	update   bool
}

// throwawayShell runs a command among a few packages.
func (a *app) throwawayShell(ctx context.Context, o throwawayOptions, command []string) (err error) {
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	dir, like, old, err := a.likeness(ctx)
	if err != nil {
		return err
	}
	slices.Sort(o.packages)
	m := build.ThrowawayMachine(slices.Compact(o.packages), like)
	chosen, known := build.RememberedThrowaway(s, m, old)
	if !known || o.update {
		if chosen, err = a.resolveThrowaway(ctx, s, dir, m, old, o); err != nil {
			return explainLock(err)
		}
	}
	report, done := a.progress()
	defer done()
	b, err := a.builder(s, dir, report)
	if err != nil {
		return err
	}
	shell, err := b.ThrowawayShell(ctx, chosen)
	if err != nil {
		return explainThrowaway(err)
	}
	done()
	defer func() { err = errors.Join(err, shell.Close()) }()
	return a.inShell(ctx, shell, command)
}

// likeness gives the repository, the machine whose archives the packages come
// from, and the lock, where there is a repository. Of several machines it is
// the first; one lock has the packages of all.
func (a *app) likeness(ctx context.Context) (string, *machine.Machine, *lock.Lock, error) {
	dir, err := a.repository()
	if err != nil {
		if a.dir == "" {
			return "", nil, nil, nil
		}
		return "", nil, nil, err
	}
	c, err := config.Load(ctx, dir)
	if err != nil {
		return "", nil, nil, err
	}
	l, err := readLock(dir)
	if err != nil {
		return "", nil, nil, err
	}
	return c.Dir, c.Machines[c.Names()[0]], l, nil
}

// resolveThrowaway chooses packages: of the lock, if it has them all, else as
// a lock of their own.
func (a *app) resolveThrowaway(ctx context.Context, s *store.Store, dir string, m *machine.Machine, old *lock.Lock, o throwawayOptions) (*build.Throwaway, error) {
	if old != nil {
		chosen, err := build.LockedThrowaway(s, m, old)
		if chosen != nil || err != nil {
			return chosen, err
		}
		a.term.Note("not all of this is here in the versions of " + lock.FileName + ": asking the archives")
	}
	report, done := a.progress()
	defer done()
	locker, err := a.locker(s, dir, o.flag, report)
	if err != nil {
		return nil, err
	}
	return locker.Throwaway(ctx, m, old)
}

// explainThrowaway is explain where the remedy is another one: what was
// fetched for a shell is in no lock of a repository.
func explainThrowaway(err error) error {
	missing := (*build.MissingError)(nil)
	damaged := (*build.DamagedError)(nil)
	const remedy = "`stet shell --update -p …` gets it again"
	switch {
	case errors.As(err, &missing):
		return &Failure{Code: ExitFailed, Err: errors.New(missing.Problem()), Remedy: remedy}
	case errors.As(err, &damaged):
		return &Failure{Code: ExitFailed, Err: errors.New(damaged.Problem()), Remedy: remedy}
	}
	return err
}
