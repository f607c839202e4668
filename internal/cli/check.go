package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/term"
)

// checkReport is what `stet check --json` prints when nothing is wrong.
type checkReport struct {
	OK       bool           `json:"ok"`
	Files    []string       `json:"files"`
	Machines []checkMachine `json:"machines"`
}

type checkMachine struct {
	Name    string        `json:"name"`
	Digest  string        `json:"digest"` // of the evaluated machine, not of the system
	Reused  bool          `json:"reused"` // nothing of what it comes from has changed
	Implied []impliedItem `json:"implied"`
}

// impliedItem is a package that nobody wrote down.
type impliedItem struct {
	Package string `json:"package"`
	Because string `json:"because"`
}

func newCheck(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Evaluate and type-check the configuration",
		Long: `Evaluate and type-check every machine of the configuration, and list the
packages that options imply, with the reason. Exit code 2 when something is
wrong; all independent mistakes are shown at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.checkTracked(cmd.Context(), c); err != nil {
				return err
			}
			report := checkReport{OK: true, Files: c.Files}
			for _, name := range c.Names() {
				m := c.Machines[name]
				report.Machines = append(report.Machines, checkMachine{Name: name, Digest: m.Digest(), Reused: c.Recalled(name), Implied: implied(m)})
			}
			if a.json {
				return a.printJSON(report)
			}
			return a.printCheck(c, report)
		},
	}
	cmd.Flags().BoolVar(&a.committed, "committed", false, "refuse a repository with changes that are not committed")
	return cmd
}

func (a *app) printCheck(c *config.Configuration, report checkReport) error {
	if a.verbose {
		for _, name := range report.Files {
			a.term.Note("read " + name)
		}
	}
	for _, m := range report.Machines {
		d := c.Machines[m.Name]
		fmt.Fprintf(a.Stdout, "%s: %s %s, %s, %s, %s, %s\n", m.Name, d.Debian.Suite, d.Debian.Architecture,
			count(len(d.Packages), "package"), count(len(d.Files), "file"), count(len(d.Units), "unit"), count(len(d.Users), "user"))
		var rows [][]string
		for _, i := range m.Implied {
			rows = append(rows, []string{"  " + i.Package, i.Because})
		}
		if len(rows) > 0 {
			fmt.Fprintln(a.Stdout, "implied packages:")
			term.Table(a.Stdout, rows)
		}
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// implied lists the packages that options and modules want, by name.
func implied(m *machine.Machine) []impliedItem {
	items := []impliedItem{}
	for _, name := range slices.Sorted(maps.Keys(m.Packages)) {
		if because := m.Packages[name].Because; because != "" {
			items = append(items, impliedItem{name, because})
		}
	}
	return items
}
