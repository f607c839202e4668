package cli

import (
	"github.com/spf13/cobra"
)

func newShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [MACHINE]",
		Short: "Print the evaluated machine",
		Long: `Print what the configuration evaluates to: every option with its default,
every module expanded to packages, files and units. The output is YAML, or one
JSON document with --json.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, m, err := a.machine(cmd.Context(), args)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(m)
			}
			return a.printYAML(m)
		},
	}
}
