package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"stet/internal/activate"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/systemd"
)

// softBoot lets a system start next, and starts it: the trees are replaced, and
// then systemd stops all that runs and starts anew (systemd-soft-reboot.service(8)).
// Kernel and firmware have no part in it. The generation is judged as after any
// other start; when it is not well, the machine starts the hard way, which counts
// its tries.
func (a *app) softBoot(ctx context.Context, s *store.Store, w wish, esp espFlag) error {
	l, err := a.live(s, esp)
	if err != nil {
		return err
	}
	p, undecided, err := a.ready(ctx, l, w)
	if err != nil {
		return err
	}
	if undecided {
		return a.reportPlan(p, false)
	}
	for _, debt := range p.Debt {
		if debt.Until == plan.UntilFullReboot {
			return &Failure{Code: ExitFailed, Err: fmt.Errorf("a soft reboot is not enough: %s: %s", debt.What, debt.Why),
				Remedy: "leave out --soft, and reboot; nothing was changed"}
		}
	}
	report, err := a.startsNext(ctx, s, w.Staged, esp)
	if err != nil {
		return err
	}
	w.Soft, report.Soft = report.Generation, true
	if _, err := a.detach(ctx, l, nil, p, w, esp); err != nil {
		var failure *Failure
		if errors.As(err, &failure) {
			failure.Remedy = fmt.Sprintf("generation %d starts next, by a full reboot; `stet rollback --boot` lets the running one start next again", report.Generation)
		}
		return err
	}
	return a.reportStaged(report)
}

// replace puts the trees in their places. All that a switch may have left running
// ends with what follows.
func (l live) replace(ctx context.Context, machine activate.Machine, job activate.Job, w wish) (result activate.Result, err error) {
	outcome, err := machine.Replace(ctx, job.Plan, job.Old, job.New, job.Discard, w.Soft)
	if err != nil {
		return result, err
	}
	result.Problems, result.Saved, result.Regained = outcome.Problems, outcome.Saved, outcome.Regained
	if err := os.Remove(l.at(debtsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	return result, l.end(ctx)
}

func (l live) softReboot(ctx context.Context) error {
	_, err := systemd.Execute(ctx, nil, []string{"systemctl", "soft-reboot", "--no-block"})
	return err
}
