package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"stet/internal/generation"
)

// pinReport is what `stet pin --json` prints.
type pinReport struct {
	Generation int  `json:"generation"`
	Pinned     bool `json:"pinned"`
}

func newPin(a *app) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "pin N",
		Short: "Keep a generation for ever",
		Long: `Keep generation N whatever "stet gc" is asked to collect; with --remove no
longer.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			number, err := generationNumber(args[0])
			if err != nil {
				return err
			}
			if err := a.mustBeRoot(); err != nil {
				return err
			}
			i, err := a.installed(espFlag{})
			if err != nil {
				return err
			}
			unlock, err := i.generations().Lock()
			if err != nil {
				return needRoot(err)
			}
			defer func() { _ = unlock() }()
			history, err := i.generations().List()
			if err != nil {
				return err
			}
			if _, err := find(history, number); err != nil {
				return err
			}
			if remove {
				err = i.generations().Clear(number, generation.Pinned)
			} else {
				err = i.generations().Set(number, generation.Pinned, "")
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(pinReport{number, !remove})
			}
			fmt.Fprintf(a.Stdout, "generation %d is %s\n", number, map[bool]string{false: "pinned", true: "not pinned any more"}[remove])
			return nil
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "pin it no longer")
	return cmd
}
