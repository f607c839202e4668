package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"stet/internal/generation"
	"stet/internal/stage"
)

func newRollback(a *app) *cobra.Command {
	var esp espFlag
	cmd := &cobra.Command{
		Use:   "rollback [N]",
		Short: "Let an older system start next",
		Long: `Make the system of generation N, or of the last one before the running one that is
known to work, the generation that starts next. It is a new generation with the
old system: nothing is built, and no kernel is written.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openStore()
			if err != nil {
				return needRoot(err)
			}
			defer s.Close()
			i, err := a.installed(esp)
			if err != nil {
				return err
			}
			history, err := i.generations().List()
			if err != nil {
				return needRoot(err)
			}
			standing, err := i.standing(history)
			if err != nil {
				return err
			}
			to, err := rollbackTo(history, standing, args)
			if err != nil {
				return err
			}
			r := stage.Request{System: to.System, Origin: generation.Rollback, RollbackOf: to.Number, Provenance: to.Provenance}
			report, err := a.startsNext(cmd.Context(), s, r, esp)
			if err != nil {
				return err
			}
			return a.reportStaged(report)
		},
	}
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
