package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/boot"
	"stet/internal/facts"
	"stet/internal/generation"
	"stet/internal/plan"
	"stet/internal/stage"
	"stet/internal/store"
)

// switchReport is what `stet switch --json` prints.
type switchReport struct {
	Plan     *plan.Plan `json:"plan"`
	Problems []string   `json:"problems"`
	Saved    string     `json:"saved,omitempty"`    // where the changes of the old /etc are
	Regained []string   `json:"regained,omitempty"` // what persists now, and is back in /etc
	Swap     float64    `json:"swap_seconds"`       // in which trees of both systems were in their places
	Tried    *tried     `json:"tried,omitempty"`
	Back     bool       `json:"back,omitempty"`   // from what was tried
	Undone   bool       `json:"undone,omitempty"` // what was no longer as declared
	kept
}

// kept says what starts next. Without an ESP nothing is kept.
type kept struct {
	Generation int   `json:"generation,omitempty"`
	Tries      int   `json:"tries,omitempty"`
	ESPBytes   int64 `json:"esp_bytes,omitempty"`
}

// wish is a system that is to run.
type wish struct {
	Staged   stage.Request `json:"staged"`
	Discard  bool          `json:"discard,omitempty"`  // changes of /etc that it makes, too
	Try      bool          `json:"try,omitempty"`      // it does not start next
	For      time.Duration `json:"for,omitempty"`      // how long it is tried; 0: until the next start
	Packages []string      `json:"packages,omitempty"` // that it is tried with, beside what is declared
	Back     bool          `json:"back,omitempty"`     // it ran before the one that is tried: what starts next stays
	Restore  *plan.Restore `json:"restore,omitempty"`  // it runs, and is to be as declared again: what starts next stays
	Soft     int           `json:"soft,omitempty"`     // the generation it is, which a soft reboot starts; 0: it is switched to

	whole   bool   // nobody has to look whether the store has all of it
	carrier *begun // nil: none was
}

// switchRequest is what the process that carries a switch out has to know beside
// the plan.
type switchRequest struct {
	Wish  wish   `json:"wish"`
	ESP   string `json:"esp"`
	Store string `json:"store"`
}

func newSwitch(a *app) *cobra.Command {
	var esp espFlag
	from := fromFlag{carry: true}
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
			return a.withWanted(cmd.Context(), from, args, func(s *store.Store, w wanted) error {
				w.Origin = generation.Switch
				return a.switchTo(cmd.Context(), s, wish{Staged: w.Request, Discard: discard, whole: w.whole, carrier: w.carrier}, esp)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&discard, "discard", false, "let changes in /etc go that the new system makes, too; they are saved")
	esp.add(cmd)
	return cmd
}

// switchTo makes a system of the store the running one.
func (a *app) switchTo(ctx context.Context, s *store.Store, w wish, esp espFlag) error {
	l, err := a.live(s, esp)
	if err != nil {
		return err
	}
	running, err := l.running()
	if err != nil {
		return err
	}
	carrier := w.carrier
	if carrier == nil && running != "" && w.Staged.System != running { // there is something to carry out
		if carrier, err = a.begin(ctx, l); err != nil {
			return err
		}
		defer carrier.Close()
	}
	l.begun = carrier
	p, undecided, err := a.ready(ctx, l, w)
	if err != nil {
		return err
	}
	if undecided {
		return a.reportPlan(p, false)
	}
	report := &switchReport{Plan: p, Problems: []string{}, Back: w.Back, Undone: w.Restore != nil}
	if p.Empty() {
		err = a.settle(ctx, l, w, report)
	} else {
		err = a.change(ctx, l, carrier, p, w, esp, report)
	}
	if err != nil {
		return err
	}
	if w.Try {
		try, err := l.attempt()
		if err != nil {
			return err
		}
		if try != nil {
			report.Tried = try.tried()
		}
	}
	return a.reportSwitch(report)
}

// change has a plan carried out, and notes what came of it.
func (a *app) change(ctx context.Context, l live, carrier *begun, p *plan.Plan, w wish, esp espFlag, report *switchReport) error {
	result, err := a.detach(ctx, l, carrier, p, w, esp)
	if err != nil {
		return err
	}
	report.Saved, report.Regained, report.Swap = result.Saved, result.Regained, result.Swap.Seconds()
	report.Problems = append(report.Problems, result.Problems...)
	if result.Kept == nil {
		return nil
	}
	return json.Unmarshal(result.Kept, &report.kept)
}

// ready makes the plan that leads to a system which is all there, and reports
// whether a person has to decide something first.
func (a *app) ready(ctx context.Context, l live, w wish) (p *plan.Plan, undecided bool, err error) {
	if there, err := l.activate(a).Recover(ctx); err != nil {
		return nil, false, explainSwitch(err)
	} else if there {
		a.term.Note("a switch that was interrupted is taken back")
		l.begun = nil // the manager said so before
	}
	running, err := l.running()
	if err != nil {
		return nil, false, err
	}
	if !w.whole && w.Staged.System != running { // which is mounted, and has the kernel look at all that is read
		missing, err := l.store.MissingBeside(w.Staged.System, running)
		if err != nil {
			return nil, false, err
		}
		if len(missing) > 0 {
			return nil, false, explainStage(&stage.IncompleteError{System: w.Staged.System, Missing: missing})
		}
	}
	if p, err = l.plan(ctx, w.Staged.System, w.Restore); err != nil {
		return nil, false, err
	}
	undecided = slices.ContainsFunc(p.Decisions, func(d plan.Decision) bool { return !w.Discard || d.Kind != plan.DecideConflict })
	return p, undecided, nil
}

// detach has a process of its own carry a plan out, and waits for its end. nil is for
// one that was not begun yet.
func (a *app) detach(ctx context.Context, l live, carrier *begun, p *plan.Plan, w wish, esp espFlag) (result activate.Result, err error) {
	job := activate.Job{Plan: p, Discard: w.Discard}
	for digest, to := range map[string]*activate.System{p.Old: &job.Old, p.New: &job.New} {
		if *to, err = l.mounts(digest); err != nil {
			return result, err
		}
	}
	if p.Old == p.New {
		job.Old = job.New
	}
	if job.Request, err = json.Marshal(switchRequest{Wish: w, ESP: esp.dir, Store: l.installed.store}); err != nil {
		return result, err
	}
	if carrier == nil {
		if carrier, err = a.begin(ctx, l); err != nil {
			return result, err
		}
		defer carrier.Close()
	}
	result, err = carrier.Carry(ctx, job)
	if errors.Is(err, context.Canceled) {
		a.term.Note("the switch goes on: journalctl --follow --unit " + facts.SwitchUnit)
	}
	if err != nil {
		return result, explainSwitch(err)
	}
	if result.Code != ExitDone {
		if result.Said != "" {
			fmt.Fprint(a.Stderr, result.Said)
		}
		return result, &Failure{Code: result.Code, Err: errors.New(result.Error), Remedy: result.Remedy}
	}
	return result, nil
}

// settle is for what runs already: it starts next, too, where another would, and is
// tried no more; or it is tried for another while.
func (a *app) settle(ctx context.Context, l live, w wish, report *switchReport) error {
	if w.Try {
		return l.triesAnew(ctx, w, a.Now())
	}
	if w.Back || w.Restore != nil {
		return nil
	}
	next, err := l.startsNext()
	if err != nil {
		return err
	}
	if next != w.Staged.System {
		what, err := a.keep(ctx, l, w.Staged, plan.Live)
		if err != nil {
			return err
		}
		if what != nil {
			report.kept = *what
		}
	}
	if try, err := l.attempt(); err != nil || try == nil {
		return err
	}
	return l.end(ctx)
}

// startsNext gives the system that the boot loader would start; "" where that is
// not known.
func (l live) startsNext() (string, error) {
	if _, err := l.needESP(); err != nil {
		return "", nil
	}
	esp, err := boot.ReadNames(l.esp())
	if err != nil {
		return "", err
	}
	history, err := l.generations().List()
	if err != nil {
		return "", err
	}
	next, err := history.Find(esp.Default())
	if err != nil {
		return "", nil // whatever it is, it is none of these
	}
	return next.System, nil
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
	}, false); err != nil || r.Plan.Empty() && r.Generation == 0 && r.Tried == nil {
		return err
	}
	if len(r.Plan.Drift) > 0 {
		fmt.Fprintf(a.Stdout, "\nwhat people changed in /etc is in %s\n", r.Saved)
	}
	if len(r.Regained) > 0 {
		fmt.Fprintf(a.Stdout, "\nback in /etc, as it was when it was let go: %s\n", strings.Join(r.Regained, " "))
	}
	switch {
	case r.Tried != nil:
		fmt.Fprintf(a.Stdout, "\ndone; tried %s\n", r.Tried)
	case r.Undone && len(r.Plan.Drift) == 0: // nothing that a person wrote was let go
		fmt.Fprintf(a.Stdout, "\ndone\n")
	case r.Undone:
		fmt.Fprintf(a.Stdout, "\ndone; `stet undo --revert` brings it back\n")
	case r.Back:
		fmt.Fprintf(a.Stdout, "\ndone; what was tried is gone\n")
	case r.Generation == 0:
		fmt.Fprintf(a.Stdout, "\ndone; it lasts until the next start, because no ESP is mounted\n")
	default:
		fmt.Fprintf(a.Stdout, "\ndone; generation %d starts next\n", r.Generation)
	}
	return nil
}
