package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/generation"
	"stet/internal/plan"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/systemd"
)

// switchReport is what `stet switch --json` prints.
type switchReport struct {
	Plan     *plan.Plan `json:"plan"`
	Problems []string   `json:"problems"`
	Saved    string     `json:"saved,omitempty"` // where the changes of the old /etc are
	kept
}

// kept says what starts next. Without an ESP nothing is kept.
type kept struct {
	Generation int   `json:"generation,omitempty"`
	Tries      int   `json:"tries,omitempty"`
	ESPBytes   int64 `json:"esp_bytes,omitempty"`
}

// switchRequest is what the process that carries a switch out has to keep.
type switchRequest struct {
	Staged stage.Request `json:"staged"`
	ESP    string        `json:"esp"`
	Store  string        `json:"store"`
}

func newSwitch(a *app) *cobra.Command {
	var esp espFlag
	var from string
	var discard bool
	cmd := &cobra.Command{
		Use:   "switch [MACHINE]",
		Short: "Make a system the running one, without a reboot",
		Long: `Build a machine's system, or with --from take it from a directory that "stet send
--to" wrote, and do what "stet plan" says. Only then, when all that is to run
runs, does it start next as well. When something fails the machine goes back to
what ran before: exit code 4.

It goes on when the connection or terminal that began it ends. Changes that
people made in /etc are saved; where the new system changes the same file there
is something to decide first (exit code 3), unless --discard says that the
person's may go.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openStore()
			if err != nil {
				return needRoot(err)
			}
			defer s.Close()
			r, err := a.wanted(cmd.Context(), s, from, args)
			if err != nil {
				return err
			}
			r.Origin = generation.Switch
			return a.switchTo(cmd.Context(), s, r, esp, discard)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "take the system from `DIR`, which \"stet send --to\" wrote")
	cmd.Flags().BoolVar(&discard, "discard", false, "let changes in /etc go that the new system makes, too; they are saved")
	esp.add(cmd)
	return cmd
}

// switchTo makes a system of the store the running one.
func (a *app) switchTo(ctx context.Context, s *store.Store, r stage.Request, esp espFlag, discard bool) error {
	l, err := a.live(s, esp)
	if err != nil {
		return err
	}
	machine := l.activate(a)
	if there, err := machine.Recover(ctx); err != nil {
		return explainSwitch(err)
	} else if there {
		a.term.Note("a switch that was interrupted is taken back")
	}
	missing, err := s.Missing(r.System)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return explainStage(&stage.IncompleteError{System: r.System, Missing: missing})
	}
	p, err := l.plan(ctx, r.System)
	if err != nil {
		return err
	}
	for _, d := range p.Decisions {
		if !discard || d.Kind != plan.DecideConflict {
			return a.reportPlan(p, false)
		}
	}
	report := &switchReport{Plan: p, Problems: []string{}}
	if p.Empty() {
		return a.reportSwitch(report)
	}
	job := activate.Job{Plan: p, Discard: discard}
	for digest, to := range map[string]*activate.System{p.Old: &job.Old, p.New: &job.New} {
		if *to, err = l.mounts(digest); err != nil {
			return err
		}
	}
	if p.Old == p.New {
		job.Old = job.New
	}
	request := switchRequest{Staged: r, ESP: esp.dir, Store: l.installed.store}
	if job.Request, err = json.Marshal(request); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	result, err := machine.Detach(ctx, l.run, []string{program, "carry-out"}, job)
	if errors.Is(err, context.Canceled) {
		a.term.Note("the switch goes on: journalctl --follow --unit " + activate.JobUnit)
	}
	if err != nil {
		return explainSwitch(err)
	}
	if result.Code != ExitDone {
		if result.Said != "" {
			fmt.Fprint(a.Stderr, result.Said)
		}
		return &Failure{Code: result.Code, Err: errors.New(result.Error), Remedy: result.Remedy}
	}
	if result.Kept != nil {
		if err := json.Unmarshal(result.Kept, &report.kept); err != nil {
			return err
		}
	}
	report.Saved = result.Saved
	report.Problems = append(report.Problems, result.Problems...)
	return a.reportSwitch(report)
}

// explainSwitch gives errors of a switch the exit code and remedy people expect.
func explainSwitch(err error) error {
	var went *activate.WentBackError
	var undecided *activate.UndecidedError
	switch {
	case errors.As(err, &went) && went.Left != nil:
		return &Failure{Code: ExitUnhealthy, Err: err, Remedy: "a reboot starts the old system"}
	case errors.As(err, &went):
		return &Failure{Code: ExitUnhealthy, Err: err, Remedy: "the machine went back to what ran before"}
	case errors.As(err, &undecided):
		return &Failure{Code: ExitDiffers, Err: err, Remedy: undecided.Decisions[0].Remedy}
	case errors.Is(err, activate.ErrBusy):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "wait until it is done; nothing was changed"}
	}
	return explainStage(err)
}

func (a *app) reportSwitch(r *switchReport) error {
	for _, problem := range r.Problems {
		a.term.Note(problem)
	}
	if a.json {
		return a.printJSON(r)
	}
	if err := a.reportPlan(&plan.Plan{
		Machine: r.Plan.Machine, Old: r.Plan.Old, New: r.Plan.New, Kind: r.Plan.Kind, Units: r.Plan.Units, Debt: r.Plan.Debt,
	}, false); err != nil || r.Plan.Empty() {
		return err
	}
	if len(r.Plan.Drift) > 0 {
		fmt.Fprintf(a.Stdout, "\nwhat people changed in /etc is in %s\n", r.Saved)
	}
	if r.Generation == 0 {
		fmt.Fprintf(a.Stdout, "\ndone; it lasts until the next start, because no ESP is mounted\n")
		return nil
	}
	fmt.Fprintf(a.Stdout, "\ndone; generation %d starts next\n", r.Generation)
	return nil
}

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
	machine.Keep = func(ctx context.Context) error {
		what, err := a.keep(ctx, l, request.Staged, job.Plan.Kind)
		if err != nil || what == nil {
			return err
		}
		result.Kept, err = json.Marshal(what)
		return err
	}
	outcome, err := machine.Switch(ctx, job.Plan, job.Old, job.New, job.Discard)
	if err != nil {
		return activate.Result{}, err
	}
	result.Problems, result.Saved = outcome.Problems, outcome.Saved
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
