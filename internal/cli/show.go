package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/config"
)

func newShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [MACHINE [PATH]]",
		Short: "Print the evaluated machine",
		Long: `Print what the configuration evaluates to: every option with its default,
every module expanded to packages, files and units. The output is YAML, or one
JSON document with --json. With a PATH, such as users.ada or files./etc/motd,
print that option alone, as the configuration would write it.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, m, err := a.machine(cmd.Context(), args)
			if err != nil {
				return err
			}
			var shown any = m
			if len(args) == 2 {
				text, _, err := c.Value(m.Name, args[1])
				if unknown := (*config.UnknownPathError)(nil); errors.As(err, &unknown) {
					remedy := "`stet show " + m.Name + "` prints all that there is"
					if unknown.Near != "" {
						remedy = fmt.Sprintf("did you mean %q?", unknown.Near)
					}
					return wrongInput(fmt.Errorf("%s: %w", m.Name, err), remedy)
				} else if err != nil {
					return err
				}
				shown = json.RawMessage(text)
				var value string
				if !a.json && json.Unmarshal(text, &value) == nil { // a text is shown as it is
					_, err := fmt.Fprintln(a.Stdout, strings.TrimSuffix(value, "\n"))
					return err
				}
			}
			if a.json {
				return a.printJSON(shown)
			}
			return a.printYAML(shown)
		},
	}
}
