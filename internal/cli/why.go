package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/facts"
	"stet/internal/past"
	"stet/internal/source"
	"stet/internal/unit"
)

// whyReport is one thing that `stet why` found. --json prints a list of them.
type whyReport struct {
	What       string          `json:"what"`
	Machine    string          `json:"machine"`
	Generation int             `json:"generation,omitempty"` // that runs, where the machine was asked
	Causes     []whyCause      `json:"causes"`               // from the thing to what a person wrote
	Packages   []string        `json:"packages,omitempty"`   // from the one that has it to the one that is wanted
	Priority   string          `json:"priority,omitempty"`   // of the last package, where only the base wants it
	Sockets    []facts.Socket  `json:"sockets,omitempty"`    // of a port: who listens there
	NeededBy   []string        `json:"needed_by,omitempty"`  // packages that would not work without it
	ShippedBy  []string        `json:"shipped_by,omitempty"` // packages that have a file at a path that an option decides
	Units      []unit.Need     `json:"units,omitempty"`      // that bring it along, have it as their user, or name it
	History    []whyGeneration `json:"history,omitempty"`    // all generations of the machine, by number
	Notes      []string        `json:"notes,omitempty"`      // what could not be known, and why

	thing past.Thing // what it is in a system; the zero Thing is an option
}

// whyCause is a link of the chain with what git knows of its line.
type whyCause struct {
	config.Cause
	Commit *source.Line `json:"commit,omitempty"` // only of the repository's files; empty when not committed
}

func newWhy(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "why PATH|UNIT|USER|PACKAGE|SYSCTL|PORT|OPTION",
		Short: "Say where something on a machine comes from",
		Long: `Say which line made something what it is on a machine: a file by its path, a
unit, user, group, package, kernel variable or parameter by its name, a port such as
80 or 53/udp, or an option. What a module or another option brought is followed to
what a person wrote, with the commit of each line. What no option declares comes from
a package, and what needs that is told. What else depends on the thing comes last.

On a machine it answers about the system that runs: lines and commits are those of
its generation, wherever the repository stands by now, and since which generation
something is as it is comes with it. In a repository that is not the machine's own
it answers about what is declared there, and about the last build; with --machine
about the repository, everywhere.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := a.question(cmd.Context(), name)
			if err != nil {
				return err
			}
			defer q.close()
			reports, err := q.answer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(reports)
			}
			a.printWhy(reports)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "machine", "", "ask the repository about this `MACHINE`, and not the one that runs")
	return cmd
}

// question is whom why asks: a machine as a repository declares it, or as it runs.
type question struct {
	machine  string
	declared declaration
	system   *whySystem  // that runs, or was built last; nil when there is none
	running  *whyRunning // nil in a repository
	close    func()
}

// question decides whom to ask: the machine that runs, unless the repository in use
// is not its own, or a machine is named.
func (a *app) question(ctx context.Context, name string) (*question, error) {
	if name == "" {
		i, err := a.installed(espFlag{})
		if err != nil {
			return nil, err
		}
		digest, err := i.running()
		if err != nil {
			return nil, err
		}
		dir, err := a.repository()
		if err != nil && a.dir != "" {
			return nil, err
		}
		own := err != nil || filepath.Clean(dir) == i.repository()
		if digest != "" && own {
			return a.askMachine(ctx, i, digest)
		}
	}
	return a.askRepository(ctx, name)
}

// askRepository asks what is declared.
func (a *app) askRepository(ctx context.Context, name string) (*question, error) {
	var names []string
	if name != "" {
		names = []string{name}
	}
	c, m, err := a.machine(ctx, names)
	if err != nil {
		return nil, err
	}
	q := &question{machine: m.Name, close: func() {}}
	q.declared = written{c, m, func(ctx context.Context, p config.Place) (source.Line, error) {
		return source.Blame(ctx, c.Dir, p.File, p.Line)
	}}
	q.system, err = a.lastBuild(c, m)
	return q, err
}
