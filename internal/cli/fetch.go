package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// fetchReport is what `stet fetch --json` prints.
type fetchReport struct {
	OK       bool    `json:"ok"`
	Packages int     `json:"packages"`
	Seconds  float64 `json:"seconds"`
}

func newFetch(a *app) *cobra.Command {
	var flag mirrorFlag
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "Get every package of the lock",
		Long:  `Get every package that stet.lock names, so that builds need no network.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin := a.Now()
			c, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			l, err := needLock(c.Dir)
			if err != nil {
				return err
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			report, done := a.progress()
			defer done()
			locker, err := a.locker(s, c.Dir, flag, report)
			if err != nil {
				return err
			}
			if err := locker.Fetch(cmd.Context(), c.Machines, l); err != nil {
				return explainLock(err)
			}
			done()
			if a.json {
				return a.printJSON(fetchReport{OK: true, Packages: len(l.Packages), Seconds: a.Now().Sub(begin).Seconds()})
			}
			fmt.Fprintf(a.Stdout, "%s of stet.lock are here\n", count(len(l.Packages), "package"))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	return cmd
}
