package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/generation"
	"stet/internal/health"
	"stet/internal/plan"
	"stet/internal/stage"
	"stet/internal/store"
)

// newCarryOut is the process that a switch runs in.
func newCarryOut(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "carry-out DIR",
		Short:  "Carry out the switch that comes into a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, then, err := a.carryOut(cmd.Context(), args[0])
			if errors.Is(err, activate.ErrNoJob) {
				return nil
			}
			if err != nil {
				err = explainSwitch(err)
				result.Code, result.Error = ExitFailed, err.Error()
				var failure *Failure
				if errors.As(err, &failure) {
					result.Code, result.Remedy = failure.Code, failure.Remedy
				}
				var went *activate.WentBackError
				if errors.As(err, &went) {
					result.Said = went.Said
				}
			}
			if err := errors.Join(err, result.Write(args[0])); err != nil {
				return err
			}
			return then(cmd.Context())
		},
	}
}

// carryOut waits for a job in a directory, and does it. What is to be done when that is
// written down ends this process, too.
func (a *app) carryOut(ctx context.Context, dir string) (result activate.Result, then func(context.Context) error, err error) {
	then = func(context.Context) error { return nil }
	// It is looked at while the plan is made.
	here := installed{root: "/"}
	manager := here.manager(nil).Keep()
	defer manager.HangUp()
	here.system = &manager
	before, err := health.Look(ctx, here.local())
	if err != nil {
		return result, then, err
	}
	job, err := activate.AwaitJob(ctx, dir)
	if err != nil {
		return result, then, err
	}
	var request switchRequest
	if err := json.Unmarshal(job.Request, &request); err != nil {
		return result, then, err
	}
	s, err := store.Open(request.Store)
	if err != nil {
		return result, then, err
	}
	defer s.Close()
	s.RememberTrees()
	here.store, here.mount = request.Store, request.ESP
	l := live{installed: here, store: s}
	machine := l.activate(a)
	machine.Say = func(what string) { fmt.Fprintln(a.Stdout, what) }
	if request.Wish.Soft != 0 {
		result, err = l.replace(ctx, machine, job, request.Wish)
		return result, l.softReboot, err
	}
	result, err = a.carryOutLive(ctx, l, machine, job, request.Wish, before)
	return result, then, err
}

func (a *app) carryOutLive(ctx context.Context, l live, machine activate.Machine, job activate.Job, w wish, before health.Before) (result activate.Result, err error) {
	var checked []health.Result
	machine.Healthy = func(ctx context.Context) error {
		results, err := l.examine(ctx, before)
		if err != nil {
			return err
		}
		if failed := health.Failed(results); len(failed) > 0 {
			return errors.New(sentence(failed))
		}
		checked = results
		return nil
	}
	cancel := func(context.Context) error { return nil }
	switch {
	case w.Try:
		if cancel, err = l.tries(ctx, w, job, a.Now()); err != nil {
			return result, err
		}
	case w.Restore != nil: // what starts next, and what is tried, stays
	case w.Back:
		machine.Keep = l.end
	default:
		// Whoever else is at it is in the way: that is said before anything is changed.
		prepared, err := a.prepareToKeep(l, w.Staged, job.Old.Digest)
		if err != nil {
			return result, err
		}
		if prepared == nil {
			machine.Keep = l.end
			break
		}
		defer prepared.Close()
		machine.Meanwhile = prepared.Read
		machine.Keep = func(ctx context.Context) error {
			what, err := a.keepPrepared(ctx, l, w.Staged, job.Plan.Kind, prepared)
			if err != nil {
				return err
			}
			if result.Kept, err = json.Marshal(what); err != nil {
				return err
			}
			return l.end(ctx)
		}
	}
	outcome, err := machine.Switch(ctx, job.Plan, job.Old, job.New, job.Discard)
	if err != nil {
		return activate.Result{}, errors.Join(err, cancel(context.WithoutCancel(ctx)))
	}
	result.Problems, result.Saved, result.Regained, result.Swap = outcome.Problems, outcome.Saved, outcome.Regained, outcome.Swap
	// What failed is gone again, and this is what was looked at last.
	if err := l.note(examination{Date: a.Now().UTC(), Checks: checked}); err != nil {
		result.Problems = append(result.Problems, fmt.Sprintf("that all is well is not known to `stet status`: %v", err))
	}
	if err := l.owe(ctx, job.Plan.Debt, a.Now()); err != nil {
		result.Problems = append(result.Problems, fmt.Sprintf("what goes on as before is not known to `stet status`: %v", err))
	}
	return result, nil
}

// keep makes what runs start next. nil says that no ESP is mounted.
func (a *app) keep(ctx context.Context, l live, r stage.Request, kind plan.Kind) (*kept, error) {
	p, err := a.prepareToKeep(l, r, "")
	if err != nil || p == nil {
		return nil, err
	}
	defer p.Close()
	return a.keepPrepared(ctx, l, r, kind, p)
}

// prepareToKeep begins to look at what keep makes start next. nil says that no ESP is
// mounted. Running is the system that is replaced live; "": none is.
func (a *app) prepareToKeep(l live, r stage.Request, running string) (*stage.Prepared, error) {
	if _, err := l.needESP(); err != nil {
		return nil, nil
	}
	return a.prepare(l.installed, l.store, r.System, running)
}

// keepPrepared is keep of a system that was prepared.
func (a *app) keepPrepared(ctx context.Context, l live, r stage.Request, kind plan.Kind, p *stage.Prepared) (*kept, error) {
	report, err := a.startsNextPrepared(ctx, l.installed, l.store, r, p)
	if err != nil {
		return nil, err
	}
	if kind == plan.Live { // it is proven, and nothing of it waits for a start
		if err := l.generations().Set(report.Generation, generation.Good, ""); err != nil {
			return nil, err
		}
	}
	return &kept{report.Generation, report.Tries, report.ESPBytes}, nil
}
