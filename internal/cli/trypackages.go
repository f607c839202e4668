package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"stet/internal/build"
	"stet/internal/generation"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/source"
	"stet/internal/store"
)

// tryPackages tries this machine with more packages: the system that `stet add` and
// `stet switch` would make.
func (a *app) tryPackages(ctx context.Context, w wish, flag mirrorFlag, esp espFlag) error {
	s, err := a.openMachine()
	if err != nil {
		return err
	}
	defer s.Close()
	here, err := a.installed(esp)
	if err != nil {
		return err
	}
	if w.Staged.System, err = a.buildWith(ctx, s, here, w.Packages, flag); err != nil {
		return err
	}
	return a.switchTo(ctx, s, w, esp)
}

// buildWith builds this machine with more packages. It does so from a draft, so that
// neither the repository nor its lock is touched.
func (a *app) buildWith(ctx context.Context, s *store.Store, here installed, packages []string, flag mirrorFlag) (system string, err error) {
	record, err := here.record()
	if err != nil {
		return "", err
	}
	// What a process that is killed leaves there goes when the store is opened next.
	draft, err := s.TempDir("try")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft)
	repository, err := a.draft(ctx, draft, record.Machine, packages)
	if err != nil {
		return "", err
	}
	if err := a.noteOthers(ctx, here, repository); err != nil {
		return "", err
	}
	old, err := needLock(repository)
	if err != nil {
		return "", err
	}
	return a.buildDraft(ctx, s, draft, record.Machine, old, flag)
}

// draft writes this machine's configuration into a directory, with more packages. It
// gives the repository that it is a draft of.
func (a *app) draft(ctx context.Context, dir, machine string, packages []string) (repository string, err error) {
	e, unlock, err := a.edition(ctx, machine, "-C names the repository of this machine")
	if err != nil {
		return "", err
	}
	defer unlock()
	files, err := e.Want(ctx, packages)
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", wrongInput(fmt.Errorf("packages has %s already", strings.Join(packages, ", ")), "`stet try` without -p tries the repository as it is")
	}
	return e.Configuration.Dir, e.Draft(dir, files)
}

// noteOthers says what is tried beside the packages: the repository need not be what
// the running system was made from.
func (a *app) noteOthers(ctx context.Context, here installed, repository string) error {
	commit, err := source.Describe(ctx, repository)
	if err != nil || commit.ID == "" {
		return err
	}
	if commit.Dirty {
		a.term.Note(repository + " has changes that are in no commit: they are tried, too")
	}
	history, err := here.generations().List()
	if err != nil {
		return needRoot(err)
	}
	number, err := here.untried(history)
	if err != nil {
		return err
	}
	// Where no generation runs, nothing is known of the commit.
	if made, err := history.Find(number); err == nil && made.ID != "" && made.ID != commit.ID {
		a.term.Note(fmt.Sprintf("%s is at commit %.12s, and generation %d was made from %.12s: what differs is tried, too", repository, commit.ID, number, made.ID))
	}
	return nil
}

// untried is the generation that runs, or, while a system is tried, that ran before;
// 0 for none.
func (i installed) untried(history generation.History) (int, error) {
	booted, err := i.booted()
	if err != nil {
		return 0, err
	}
	system, err := i.running()
	if err != nil {
		return 0, err
	}
	try, err := i.attempt()
	if err != nil {
		return 0, err
	}
	if try != nil {
		system = try.Before
	}
	return history.RunningAs(booted, system), nil
}

// buildDraft builds a machine of a draft. What is locked stays, and what the draft
// wants beside is chosen and fetched as for a lock, which is written nowhere. No other
// machine of the repository has a part in it.
func (a *app) buildDraft(ctx context.Context, s *store.Store, draft, name string, old *lock.Lock, flag mirrorFlag) (system string, err error) {
	c, err := a.evaluate(ctx, draft)
	if err != nil {
		return "", err
	}
	m, err := c.Machine(name)
	if err != nil {
		return "", err
	}
	report, done := a.progress()
	defer done()
	locker, err := a.locker(s, draft, flag, report)
	if err != nil {
		return "", err
	}
	resolved, err := locker.Lock(ctx, map[string]*machine.Machine{name: m}, old, build.Update{})
	if err != nil {
		return "", explainAnswer(c, explainLock(err))
	}
	done()
	if err := noteNumbers(s, build.NewNumbers(old.IDs, resolved.Lock.IDs)); err != nil {
		return "", err
	}
	built, err := a.buildLocked(ctx, s, c, m, resolved.Lock)
	if err != nil {
		return "", err
	}
	return built.Digest, s.Sync()
}
