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
	"stet/internal/systemd"
)

// newCarryOut is the process that a switch runs in.
func newCarryOut(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "carry-out DIR",
		Short:  "Carry out the switch that a directory describes",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := a.carryOut(cmd.Context(), args[0])
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
			return errors.Join(err, result.Write(args[0]))
		},
	}
}

func (a *app) carryOut(ctx context.Context, dir string) (activate.Result, error) {
	job, err := activate.ReadJob(dir)
	if err != nil {
		return activate.Result{}, err
	}
	var request switchRequest
	if err := json.Unmarshal(job.Request, &request); err != nil {
		return activate.Result{}, err
	}
	s, err := store.Open(request.Store)
	if err != nil {
		return activate.Result{}, err
	}
	defer s.Close()
	l := live{installed{"/", request.Store, request.ESP}, s, systemd.Execute}
	var result activate.Result
	machine := l.activate(a)
	machine.Say = func(what string) { fmt.Fprintln(a.Stdout, what) }
	before, err := health.Look(ctx, health.Local{})
	if err != nil {
		return result, err
	}
	machine.Healthy = func(ctx context.Context) error {
		results, err := l.examine(ctx, before)
		if err != nil {
			return err
		}
		if failed := health.Failed(results); len(failed) > 0 {
			return errors.New(sentence(failed))
		}
		return l.note(examination{Date: a.Now().UTC(), Checks: results}) // what failed is gone again
	}
	cancel := func(context.Context) error { return nil }
	switch w := request.Wish; {
	case w.Try:
		if cancel, err = l.tries(ctx, w, job, a.Now()); err != nil {
			return result, err
		}
	case w.Back:
		machine.Keep = l.end
	default:
		machine.Keep = func(ctx context.Context) error {
			what, err := a.keep(ctx, l, w.Staged, job.Plan.Kind)
			if err == nil && what != nil {
				result.Kept, err = json.Marshal(what)
			}
			if err != nil {
				return err
			}
			return l.end(ctx)
		}
	}
	outcome, err := machine.Switch(ctx, job.Plan, job.Old, job.New, job.Discard)
	if err != nil {
		return activate.Result{}, errors.Join(err, cancel(context.WithoutCancel(ctx)))
	}
	result.Problems, result.Saved = outcome.Problems, outcome.Saved
	if err := l.owe(ctx, job.Plan.Debt, a.Now()); err != nil {
		result.Problems = append(result.Problems, fmt.Sprintf("what goes on as before is not known to `stet status`: %v", err))
	}
	return result, nil
}

// keep makes what runs start next. nil says that no ESP is mounted.
func (a *app) keep(ctx context.Context, l live, r stage.Request, kind plan.Kind) (*kept, error) {
	if _, err := l.needESP(); err != nil {
		return nil, nil
	}
	report, err := a.startsNext(ctx, l.store, r, espFlag{l.mount})
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
