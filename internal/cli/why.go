package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/source"
	"stet/internal/term"
)

// whyReport is one thing that `stet why` found. --json prints a list of them.
type whyReport struct {
	What     string     `json:"what"`
	Machine  string     `json:"machine"`
	Causes   []whyCause `json:"causes"`             // from the thing to what a person wrote
	Packages []string   `json:"packages,omitempty"` // from the one that has it to the one that is wanted
	Priority string     `json:"priority,omitempty"` // of the last package, where only the base wants it
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
unit, user, group, package or kernel variable by its name, a TCP port by its
number, or an option. What a module or another option brought is followed to what
a person wrote; git tells the commit of each line, as the files are now.

What no option declares comes from a package. Which one, and what needs it, the
last build of the machine tells.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var names []string
			if name != "" {
				names = []string{name}
			}
			c, m, err := a.machine(cmd.Context(), names)
			if err != nil {
				return err
			}
			reports, err := a.why(cmd.Context(), c, m, args[0])
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
	cmd.Flags().StringVar(&name, "machine", "", "the machine, where there are several")
	return cmd
}

// why finds all that a word means on a machine.
func (a *app) why(ctx context.Context, c *config.Configuration, m *machine.Machine, what string) ([]whyReport, error) {
	var reports []whyReport
	word := strings.TrimPrefix(what, ":")
	found := c.Find(m.Name, word)
	if unit, ok := unitOf(word); ok && len(found) == 0 {
		found = c.Find(m.Name, unit)
	}
	for _, p := range found {
		causes, err := a.blame(ctx, c, c.Causes(m.Name, p))
		if err != nil {
			return nil, err
		}
		reports = append(reports, whyReport{What: p, Machine: m.Name, Causes: causes})
	}
	if len(reports) > 0 {
		return reports, nil
	}
	report, err := a.whyPackage(ctx, c, m, word)
	if err != nil {
		return nil, err
	}
	return []whyReport{*report}, nil
}

// unitOf is the unit whose file this is.
func unitOf(name string) (string, bool) {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		if unit, ok := strings.CutPrefix(name, dir); ok && !strings.Contains(unit, "/") {
			return unit, true
		}
	}
	return "", false
}

// blame adds to causes what git knows of their lines.
func (a *app) blame(ctx context.Context, c *config.Configuration, causes []config.Cause) ([]whyCause, error) {
	all := make([]whyCause, 0, len(causes))
	for _, cause := range causes {
		w := whyCause{Cause: cause}
		if cause.Place.Line > 0 && !cause.Place.Builtin() {
			line, err := source.Blame(ctx, c.Dir, cause.Place.File, cause.Place.Line)
			if err != nil {
				return nil, err
			}
			w.Commit = &line
		}
		all = append(all, w)
	}
	return all, nil
}

// whyPackage looks into the last built system for the package that something
// comes from.
func (a *app) whyPackage(ctx context.Context, c *config.Configuration, m *machine.Machine, what string) (*whyReport, error) {
	i, err := a.lastBuild(c, m)
	if err != nil {
		return nil, err
	}
	unknown := func() error {
		return wrongInput(fmt.Errorf("%s has nothing that is called %s", m.Name, what), "name a path, a unit, a user, a package, a kernel variable, a port or an option")
	}
	if i == nil {
		f := unknown().(*Failure)
		f.Err, f.Remedy = fmt.Errorf("%s declares nothing that is called %s", m.Name, what), "`stet build` first: then the packages are known too"
		return nil, f
	}
	report := &whyReport{What: what, Machine: m.Name}
	var owners []string
	switch {
	case strings.HasPrefix(what, "/"):
		owners, err = i.Owners(path.Clean(what))
	case i.Has(what):
		owners = []string{what}
	case i.HasAccount(what):
		owners, err = i.AccountMakers(what)
	default:
		owners, err = i.Owners("/usr/lib/systemd/system/" + what)
	}
	if err != nil {
		return nil, err
	}
	if len(owners) == 0 {
		return nil, unknown()
	}
	// The shortest way from what is declared; else what is in every base.
	for _, owner := range owners {
		chain := i.Chain(owner, func(name string) bool { _, declared := m.Packages[name]; return declared })
		if chain != nil && (report.Packages == nil || len(chain) < len(report.Packages)) {
			report.Packages = chain
		}
	}
	if report.Packages == nil {
		owner := owners[0]
		report.Packages = i.Chain(owner, func(name string) bool { return baseHas(m, i.Priority(name)) })
		if report.Packages == nil {
			report.Packages = []string{owner}
		}
		// From the one that has it to the one that is wanted.
		base := report.Packages[0]
		report.Priority = i.Priority(base)
		causes, err := a.blame(ctx, c, c.Causes(m.Name, "base"))
		if err != nil {
			return nil, err
		}
		report.Causes = causes
		return report.reversed(), nil
	}
	report.Causes, err = a.blame(ctx, c, c.Causes(m.Name, "packages."+report.Packages[0]))
	return report.reversed(), err
}

// reversed turns the chain of packages: the one that has the thing comes first.
func (r *whyReport) reversed() *whyReport {
	for i, j := 0, len(r.Packages)-1; i < j; i, j = i+1, j-1 {
		r.Packages[i], r.Packages[j] = r.Packages[j], r.Packages[i]
	}
	return r
}

// baseHas says whether packages of a priority are there before anything is
// declared.
func baseHas(m *machine.Machine, priority string) bool {
	return priority == "essential" || m.Base == machine.BaseStandard && (priority == "required" || priority == "important")
}

// lastBuild reads the last built system of a machine; nil when there is none.
func (a *app) lastBuild(c *config.Configuration, m *machine.Machine) (*build.Installed, error) {
	s, err := a.openStore()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	record, ok := s.Root(rootName(c.Dir, m.Name))
	if !ok {
		return nil, nil
	}
	var p buildRecord
	if err := json.Unmarshal(record, &p); err != nil || p.System == "" {
		return nil, errors.New("the record of the last build cannot be read: `stet build` makes it again")
	}
	return build.ReadInstalled(s, p.System)
}

func (a *app) printWhy(reports []whyReport) {
	for n, r := range reports {
		if n > 0 {
			fmt.Fprintln(a.Stdout)
		}
		if len(r.Packages) > 0 {
			fmt.Fprintf(a.Stdout, "%s is of package %s\n", r.What, r.Packages[0])
			for _, p := range r.Packages[1:] {
				fmt.Fprintf(a.Stdout, "which %s needs\n", p)
			}
			if r.Priority != "" {
				fmt.Fprintf(a.Stdout, "which is %s\n", r.Priority)
			}
		}
		for _, cause := range r.Causes {
			a.printCause(cause)
		}
	}
}

func (a *app) printCause(c whyCause) {
	switch {
	case c.Place.Line == 0:
		fmt.Fprintf(a.Stdout, "%s, by default\n", c.Path)
		return
	case c.Reason != "":
		fmt.Fprintf(a.Stdout, "%s: %s, for %s\n", c.Place, c.Path, c.Reason)
	default:
		fmt.Fprintf(a.Stdout, "%s: %s\n", c.Place, c.Path)
	}
	if c.Commit == nil {
		return
	}
	if c.Place.Excerpt != "" {
		term.Table(a.Stdout, [][]string{{fmt.Sprintf("%4d | %s", c.Place.Line, short(strings.TrimSpace(c.Place.Excerpt)))}})
	}
	if c.Commit.ID == "" {
		fmt.Fprintln(a.Stdout, "     not committed yet")
		return
	}
	term.Table(a.Stdout, [][]string{{"    ", c.Commit.ID[:12], c.Commit.Date, c.Commit.Author, c.Commit.Subject}})
}
