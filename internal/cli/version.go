package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// Version is Stet's version; releases set it with -ldflags -X.
var Version = "0.1.0-dev"

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print Stet's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": Version, "go": runtime.Version(), "architecture": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.Stdout, "stet %s\n", Version)
			return err
		},
	}
}
