package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/config"
	"stet/internal/facts"
	"stet/internal/generation"
	"stet/internal/ledger"
	"stet/internal/past"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/verity"
)

// whyRunning is the machine that this program runs on, with its generations.
type whyRunning struct {
	facts   facts.Machine
	store   *store.Store
	history generation.History
	number  int // of the generation that runs; 0 when none is recorded
	past    *past.Reader
	maps    map[verity.Digest]mapped
	notes   []string // what is not known of the generation that runs

	ledger func(context.Context) (*ledger.Ledger, error) // of the machine's state
}

// askMachine asks the system that runs.
func (a *app) askMachine(ctx context.Context, i installed, digest string) (*question, error) {
	s, err := a.openMachine()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "stet-why-*")
	done := func() {
		os.RemoveAll(temp)
		s.Close()
	}
	if err == nil {
		var q *question
		if q, err = a.askRunning(ctx, live{installed: i, store: s}, digest, temp); err == nil {
			q.close = done
			return q, nil
		}
	}
	done()
	return nil, needRoot(err)
}

// askRunning asks a system; the files of its commit are laid out in temp.
func (a *app) askRunning(ctx context.Context, l live, digest, temp string) (*question, error) {
	running, err := openSystem(l.store, digest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Failure{Code: ExitFailed, Err: fmt.Errorf("the system that runs is not in the store %s", l.store.Dir()), Remedy: "STET_STORE is not to name another one; -C names a repository to ask instead"}
	}
	if err != nil {
		return nil, err
	}
	r := &whyRunning{facts: l.facts(), store: l.store, past: running.past, maps: map[verity.Digest]mapped{}}
	r.ledger = func(ctx context.Context) (*ledger.Ledger, error) {
		report, done := a.progress()
		defer done()
		book, _, err := l.ledger(ctx, report)
		return book, err
	}
	if r.history, err = l.generations().List(); err != nil {
		return nil, err
	}
	booted, err := l.booted()
	if err != nil {
		return nil, err
	}
	r.number = r.history.RunningAs(booted, digest)
	q := &question{machine: running.manifest.Machine, system: running, running: r}
	g, err := r.history.Find(r.number)
	if err != nil {
		q.declared = mapped{}
		r.notes = append(r.notes, "no generation is recorded of the system that runs: where it was written is not known")
		return q, nil
	}
	q.declared, err = a.declarationOf(ctx, l, q.machine, g, temp, &r.notes)
	return q, err
}

// declarationOf gives what a generation was declared by: the files of its commit;
// else the machine's repository as it is, where that says the same; else no more
// than the places of its options.
func (a *app) declarationOf(ctx context.Context, l live, machine string, g generation.Generation, temp string, notes *[]string) (declaration, error) {
	if g.SourceMap.IsZero() {
		*notes = append(*notes, fmt.Sprintf("generation %d does not say where it was written", g.Number))
		return mapped{}, nil
	}
	places, err := readSourceMap(l.store, g)
	if err != nil {
		return nil, err
	}
	if g.ID != "" && !g.Dirty {
		d, err := a.fromCommit(ctx, l, machine, g, temp)
		if err != nil {
			return nil, err
		}
		if d != nil {
			return d, nil
		}
	}
	if d := a.fromRepository(ctx, l.repository(), machine, g.SourceMap); d != nil {
		return d, nil
	}
	switch {
	case g.Dirty && g.ID != "":
		*notes = append(*notes, fmt.Sprintf("generation %d was built from changes that no commit has, upon %.10s %s", g.Number, g.ID, g.Subject))
	case g.ID == "":
		*notes = append(*notes, fmt.Sprintf("generation %d was built from files that were in no commit", g.Number))
	default:
		*notes = append(*notes, fmt.Sprintf("commit %.10s %s of generation %d cannot be read or evaluated here: where its options were written is all that is known", g.ID, g.Subject, g.Number))
	}
	return places, nil
}

// fromCommit evaluates the files of a generation's commit, which the machine's
// repository has, or the copy in the store. It gives nil when neither can be read, or
// this Stet cannot evaluate them any more.
func (a *app) fromCommit(ctx context.Context, l live, machine string, g generation.Generation, temp string) (declaration, error) {
	repository, files := l.repository(), filepath.Join(temp, "files")
	if id, err := source.Find(ctx, repository, g.ID); err != nil {
		return nil, err
	} else if id == "" {
		if repository = filepath.Join(temp, "repository"); g.Bundle.IsZero() || source.Clone(ctx, l.store.ObjectPath(g.Bundle), repository) != nil {
			return nil, ctx.Err()
		}
	}
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	if source.Export(ctx, repository, g.ID, files) != nil {
		return nil, ctx.Err()
	}
	c, err := a.evaluate(ctx, files)
	if err != nil || c.Machines[machine] == nil {
		return nil, ctx.Err()
	}
	return written{c, c.Machines[machine], func(ctx context.Context, p config.Place) (source.Line, error) {
		return source.BlameAt(ctx, repository, g.ID, p.File, p.Line)
	}}, nil
}

// fromRepository evaluates the repository as it is; nil when it does not say what a
// generation's source map has.
func (a *app) fromRepository(ctx context.Context, dir, machine string, sourceMap verity.Digest) declaration {
	if !config.Has(dir) {
		return nil
	}
	c, err := a.evaluate(ctx, dir)
	if err != nil || c.Machines[machine] == nil {
		return nil
	}
	if now, err := json.Marshal(c.Places(machine)); err != nil || verity.Sum(now) != sourceMap {
		return nil
	}
	return written{c, c.Machines[machine], func(ctx context.Context, p config.Place) (source.Line, error) {
		return source.Blame(ctx, dir, p.File, p.Line)
	}}
}

// drifted says whether somebody put a file into /etc that the system does not have.
func (r *whyRunning) drifted(name string) bool {
	if !strings.HasPrefix(name, "/etc/") {
		return false
	}
	_, err := os.Lstat(filepath.Join(r.facts.Root, name))
	return err == nil
}
