package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/drift"
	"stet/internal/stage"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/term"
)

func newUndo(a *app) *cobra.Command {
	var esp espFlag
	var all, dryRun, revert bool
	cmd := &cobra.Command{
		Use:   "undo PATH|NAME…",
		Short: "Put back what this machine declares",
		Long: `Put back what "stet drift" says is no longer as declared: by the paths and names
that it tells, or with --all everything. A path stands for all below it; accounts go
together. It is a switch to the system that runs, with a plan of its own: programs
that read what is put back restart, and when something fails the machine is as it
was: exit code 4. What starts next stays.

What was there is saved: "stet drift --saved" lists it, and --revert brings back what
was let go last, by an undo, a switch or a start. Then nothing restarts.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if given := len(args) > 0; all == given && !revert || all && revert {
				return wrongInput(errors.New("it is not clear what to undo"), "name what `stet drift` tells, or say --all")
			}
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			if revert {
				return a.revertSaved(cmd.Context(), s, args, dryRun)
			}
			return a.undo(cmd.Context(), s, args, esp, dryRun)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that differs")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVar(&revert, "revert", false, "bring back what was let go last, or the paths of it that are named")
	esp.add(cmd)
	return cmd
}

// undo puts back what is named; without a name, everything.
func (a *app) undo(ctx context.Context, s *store.Store, names []string, esp espFlag, dryRun bool) error {
	report, seen, err := a.drift(ctx, s, esp)
	if err != nil {
		return err
	}
	found := make([]drift.Finding, 0, len(report.Findings))
	for _, f := range report.Findings {
		found = append(found, f.Finding)
	}
	chosen := func(drift.Finding) bool { return true }
	if len(names) > 0 {
		var unknown []string
		if chosen, unknown = drift.Named(names, found); len(unknown) > 0 {
			return wrongInput(fmt.Errorf("%s is as declared", strings.Join(unknown, ", ")), "`stet drift` tells what is not")
		}
	}
	restore, left := drift.Undo(found, chosen, seen.Facts.Drift)
	for _, f := range left {
		a.term.Note(fmt.Sprintf("%s stays; what undoes it: %s", f.Name, f.Remedy))
	}
	w := wish{Staged: stage.Request{System: report.System}, Restore: restore}
	if !dryRun {
		return a.switchTo(ctx, s, w, esp)
	}
	l, err := a.live(s, esp)
	if err != nil {
		return err
	}
	p, err := l.plan(ctx, report.System, restore)
	if err != nil {
		return err
	}
	return a.reportPlan(p, false)
}

// savedUpper is what was let go at one time. `stet drift --saved --json` prints a
// list of them.
type savedUpper struct {
	Number int       `json:"number"`
	Date   time.Time `json:"date"` // when the last of it was written
	Upper  string    `json:"upper"`
	Paths  []string  `json:"paths"`

	of state.Upper
}

// saved lists what was let go, the newest first, and what is in the /etc of now.
func (l live) saved() (all []savedUpper, current []string, err error) {
	boot, running, err := l.facts().Running()
	if err != nil {
		return nil, nil, explainLive(err)
	}
	policy, err := l.facts().Policy(running)
	if err != nil {
		return nil, nil, err
	}
	uppers, err := state.Uppers(filepath.Join(l.facts().State, "etc"))
	if err != nil {
		return nil, nil, needRoot(err)
	}
	all = []savedUpper{}
	for _, u := range slices.Backward(uppers) {
		paths, latest, err := u.Saved(policy)
		switch {
		case err != nil:
			return nil, nil, err
		case u.Number == boot.Upper:
			current = paths
		case len(paths) > 0:
			all = append(all, savedUpper{u.Number, latest.UTC(), u.Upper(), paths, u})
		}
	}
	return all, current, nil
}

func (a *app) listSaved(s *store.Store) error {
	l, err := a.live(s, espFlag{})
	if err != nil {
		return err
	}
	all, _, err := l.saved()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(a.Stdout, "nothing was let go")
	}
	for _, u := range all {
		term.Table(a.Stdout, [][]string{{fmt.Sprintf("%s in %s", u.Date.Local().Format(time.DateTime), u.Upper)}})
		for _, name := range u.Paths {
			term.Table(a.Stdout, [][]string{{"  " + name}})
		}
	}
	return nil
}

// revertSaved brings back what was let go last, or what of it has the names.
func (a *app) revertSaved(ctx context.Context, s *store.Store, names []string, dryRun bool) error {
	l, err := a.live(s, espFlag{})
	if err != nil {
		return err
	}
	all, current, err := l.saved()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return wrongInput(errors.New("nothing was let go"), "`stet drift --saved` lists what was")
	}
	from := all[0]
	paths := from.Paths
	if len(names) > 0 {
		paths = slices.DeleteFunc(slices.Clone(paths), func(name string) bool {
			return !slices.ContainsFunc(names, func(of string) bool { return name == of || strings.HasPrefix(name, strings.TrimSuffix(of, "/")+"/") })
		})
		if len(paths) == 0 {
			return wrongInput(fmt.Errorf("%s is not among what was let go last", strings.Join(names, ", ")), "`stet drift --saved` lists it")
		}
	}
	// What a person wrote since is newer, and saved nowhere yet.
	paths, touched := state.Untouched(paths, current)
	for _, name := range touched {
		a.term.Note(fmt.Sprintf("%s stays as it is, because it was changed since; what it was is in %s", name, from.Upper))
	}
	if !dryRun {
		problems, err := l.activate(a).Revert(ctx, from.of, paths)
		for _, problem := range problems {
			a.term.Note(problem)
		}
		if err != nil {
			return explainSwitch(err)
		}
	}
	if a.json {
		return a.printJSON(savedUpper{from.Number, from.Date, from.Upper, paths, from.of})
	}
	verb := "is back"
	if dryRun {
		verb = "would be back"
	}
	for _, name := range paths {
		term.Table(a.Stdout, [][]string{{name + " " + verb}})
	}
	return nil
}
