package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/generation"
	"stet/internal/stage"
	"stet/internal/store"
)

func newRollback(a *app) *cobra.Command {
	var esp espFlag
	var next, tried, discard bool
	cmd := &cobra.Command{
		Use:   "rollback [N]",
		Short: "Go back to an older system",
		Long: `Make the system of generation N, or of the last one before the running one that is
known to work, the running one, as "stet switch" does. It starts next as well: as a
new generation with the old system, for which no kernel is written. With --boot it
only starts next, and what runs is not touched.

While a system is tried, rollback without N goes back to what ran before.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			l, err := a.live(s, esp)
			if err != nil {
				return err
			}
			if tried {
				return a.revert(cmd.Context(), s, l, esp)
			}
			if len(args) == 0 && !next {
				try, err := l.attempt()
				if err != nil {
					return err
				}
				if try != nil {
					return a.switchTo(cmd.Context(), s, wish{Staged: stage.Request{System: try.Before}, Back: true, Discard: discard}, esp)
				}
			}
			history, err := l.generations().List()
			if err != nil {
				return needRoot(err)
			}
			standing, err := l.standing(history)
			if err != nil {
				return err
			}
			to, err := rollbackTo(history, standing, args)
			if err != nil {
				return err
			}
			r := stage.Request{System: to.System, Origin: generation.Rollback, RollbackOf: to.Number, Provenance: to.Provenance}
			if !next {
				return a.switchTo(cmd.Context(), s, wish{Staged: r, Discard: discard}, esp)
			}
			report, err := a.startsNext(cmd.Context(), s, r, esp)
			if err != nil {
				return err
			}
			return a.reportStaged(report)
		},
	}
	cmd.Flags().BoolVar(&next, "boot", false, "let it only start next")
	cmd.Flags().BoolVar(&discard, "discard", false, "let changes in /etc go that the older system makes, too; they are saved")
	cmd.Flags().BoolVar(&tried, "tried", false, "go back only when a system is tried")
	_ = cmd.Flags().MarkHidden("tried") // it is there
	esp.add(cmd)
	return cmd
}

// rollbackTo picks the generation to go back to: the one that is named, else the
// newest before the running one that came up and has another system. Where
// something else is staged than what runs, going back is to stay.
func rollbackTo(history generation.History, s generation.Standing, args []string) (generation.Generation, error) {
	if len(args) > 0 {
		number, err := generationNumber(args[0])
		if err != nil {
			return generation.Generation{}, err
		}
		return find(history, number)
	}
	running, err := history.Find(s.Running)
	if err != nil {
		return running, wrongInput(errors.New("which generation runs is not known"), "name one: `stet generations` lists them")
	}
	if next, err := history.Find(s.Default); err == nil && next.System != running.System {
		return running, nil
	}
	for n := len(history.Generations) - 1; n >= 0; n-- {
		g := history.Generations[n]
		if g.Number < running.Number && g.Good && g.Failed == "" && g.System != running.System {
			return g, nil
		}
	}
	return running, wrongInput(errors.New("there is no older generation with another system that is known to work"), "name one: `stet generations` lists them")
}

// revert goes back from what is tried when its time is over. That may be before the
// switch to it has ended, which is waited for.
func (a *app) revert(ctx context.Context, s *store.Store, l live, esp espFlag) error {
	for {
		if err := l.activate(a).Wait(ctx); err != nil {
			return err
		}
		try, err := l.attempt()
		if err != nil || try == nil {
			return err
		}
		err = a.switchTo(ctx, s, wish{Staged: stage.Request{System: try.Before}, Back: true, Discard: true}, esp)
		if !errors.Is(err, activate.ErrBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
