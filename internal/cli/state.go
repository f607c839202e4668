package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/archive"
	"stet/internal/ledger"
	"stet/internal/plan"
	"stet/internal/progress"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/term"
)

// stateReport is what `stet state --json` prints.
type stateReport struct {
	Machine string         `json:"machine"`
	System  string         `json:"system"`
	Bytes   int64          `json:"bytes"`
	Entries []ledger.Entry `json:"entries"`
}

func newState(a *app) *cobra.Command {
	var saved bool
	cmd := &cobra.Command{
		Use:   "state [PATH…]",
		Short: "Say what lives in /var, and whose it is",
		Long: `List the state of this machine: what is in /var, /home, /root, /srv, /opt and
/usr/local, whose it is, how much, and when the last of it was written. An owner is a
package, a unit, a user or the configuration. What only an earlier generation declared,
and whose owner is gone, has lost its owner; of some things no generation ever said
anything. With paths it lists what those belong to. "stet state clean" removes what has
lost its owner, into an archive; with --saved it lists the archives.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			if saved {
				return a.listArchives(s)
			}
			l, err := a.live(s, espFlag{})
			if err != nil {
				return err
			}
			report, err := a.state(cmd.Context(), l)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if err := report.only(args); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(report)
			}
			(planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}).state(report)
			return nil
		},
	}
	cmd.Flags().BoolVar(&saved, "saved", false, "list the archives of what was removed")
	cmd.ValidArgsFunction = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault) // paths of files, not of options
	cmd.AddCommand(newStateClean(a), newStateRestore(a))
	for _, child := range cmd.Commands() {
		child.Args = argumentsChecked(child.Args)
	}
	return cmd
}

// state looks at the machine's state, and at whose it is.
func (a *app) state(ctx context.Context, l live) (*stateReport, error) {
	report, done := a.progress()
	defer done()
	book, running, err := l.ledger(ctx, report)
	if err != nil {
		return nil, err
	}
	seen, err := l.facts().Kept(ctx, book.Apart, report)
	if err != nil {
		return nil, needRoot(err)
	}
	r := &stateReport{Machine: running.Machine, System: running.Digest, Entries: book.Entries(seen)}
	for _, e := range r.Entries {
		r.Bytes += e.Bytes
	}
	return r, nil
}

// ledger reads what the running system and all other generations say of the state. A
// generation that is damaged says nothing.
func (l live) ledger(ctx context.Context, report progress.Func) (*ledger.Ledger, plan.System, error) {
	_, running, err := l.facts().Running()
	if err != nil {
		return nil, running, explainLive(err)
	}
	table, _, err := residue.Builtin()
	if err != nil {
		return nil, running, err
	}
	passwd, err := os.ReadFile(l.at("etc/passwd"))
	if err != nil {
		return nil, running, err
	}
	history, err := l.generations().List()
	if err != nil {
		return nil, running, needRoot(err)
	}
	reader := ledger.NewReader(l.store, table)
	now, err := reader.Read(running.Trees)
	if err != nil {
		return nil, running, fmt.Errorf("system %.12s: %w", running.Digest, err)
	}
	booted, err := l.booted()
	if err != nil {
		return nil, running, err
	}
	number := history.RunningAs(booted, running.Digest)
	var others []ledger.Other
	known := map[string]bool{statesOf(running.Trees): true}
	for i, g := range slices.Backward(history.Generations) {
		if err := ctx.Err(); err != nil {
			return nil, running, err
		}
		report.Report(progress.Event{Stage: "read what generations declare", Done: int64(len(history.Generations) - i), Total: int64(len(history.Generations))})
		trees, err := treesOf(l.store, g.System)
		if err != nil || known[statesOf(trees)] {
			continue
		}
		known[statesOf(trees)] = true
		if said, err := reader.Read(trees); err == nil {
			others = append(others, ledger.Other{Generation: g.Number, Later: number != 0 && g.Number > number, Declared: said})
		}
	}
	return ledger.New(now, others, ledger.Users(string(passwd))), running, nil
}

// statesOf names the trees that say something of the state.
func statesOf(trees map[string]string) string {
	return trees["usr"] + " " + trees["etc"] + " " + trees["var"]
}

func treesOf(s *store.Store, digest string) (map[string]string, error) {
	text, err := s.System(digest)
	if err != nil {
		return nil, err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return nil, err
	}
	return m.Trees, nil
}

// only leaves the entries that paths belong to, or that are below them.
func (r *stateReport) only(names []string) error {
	var chosen []ledger.Entry
	for _, name := range names {
		found := r.of(filepath.Clean(name))
		if len(found) == 0 {
			return wrongInput(fmt.Errorf("%s is no state of this machine", name), "state is what is in /var, /home, /root, /srv, /opt and /usr/local")
		}
		for _, e := range found {
			if !slices.ContainsFunc(chosen, func(c ledger.Entry) bool { return c.Path == e.Path }) {
				chosen = append(chosen, e)
			}
		}
	}
	r.Entries, r.Bytes = chosen, 0
	for _, e := range chosen {
		r.Bytes += e.Bytes
	}
	return nil
}

// of gives the entries at and below a path; else the one that it is in.
func (r *stateReport) of(name string) (found []ledger.Entry) {
	around := -1
	for i, e := range r.Entries {
		if isAtOrBelow(e.Path, name) {
			found = append(found, e)
		} else if isAtOrBelow(name, e.Path) && (around < 0 || len(e.Path) > len(r.Entries[around].Path)) {
			around = i
		}
	}
	if len(found) == 0 && around >= 0 {
		found = r.Entries[around : around+1]
	}
	return found
}

func isAtOrBelow(name, dir string) bool {
	below, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(below)
}

// state writes first what a person has to decide about.
func (p planPage) state(r *stateReport) {
	p.line(fmt.Sprintf("%s has %s of state in %s", r.Machine, term.Bytes(r.Bytes), count(len(r.Entries), "place")))
	for _, section := range []struct {
		title string
		of    ledger.Standing
	}{{"has lost its owner", ledger.Orphan}, {"nobody ever declared it", ledger.Unknown}, {"has its owner", ledger.Owned}} {
		var rows [][]string
		for _, e := range r.Entries {
			if e.Standing == section.of {
				rows = append(rows, stateRow(e))
			}
		}
		if len(rows) > 0 {
			p.title(section.title)
			term.Table(p.out, rows)
		}
	}
	if slices.ContainsFunc(r.Entries, func(e ledger.Entry) bool { return e.Standing == ledger.Orphan }) {
		p.line("\n`stet state clean` archives and removes what has lost its owner")
	}
}

// stateRow tells of one entry.
func stateRow(e ledger.Entry) []string {
	size := term.Bytes(e.Bytes)
	if e.Part {
		size = "more than " + size
	}
	last := ""
	if !e.LastUse.IsZero() {
		last = e.LastUse.Local().Format(time.DateOnly)
	}
	if e.Mount {
		size, last = "mounted", ""
	}
	return []string{"  " + e.Path, size, last, ownership(e)}
}

// ownership says who the owner is, or was.
func ownership(e ledger.Entry) string {
	text := e.Whose()
	if e.Generation != 0 {
		text += fmt.Sprintf(", in generation %d", e.Generation)
	}
	return text
}

// shelf is where the machine keeps what is taken out of its state.
func (l live) shelf(a *app) archive.Shelf {
	return archive.Shelf{
		State: l.facts().State, Now: a.Now,
		Holders: func(matches func(string) bool) ([]string, error) {
			holders, err := l.facts().Holders(matches)
			var words []string
			for _, h := range holders {
				words = append(words, h.String())
			}
			return words, err
		},
	}
}

// listArchives prints what was removed and can be brought back.
func (a *app) listArchives(s *store.Store) error {
	l, err := a.live(s, espFlag{})
	if err != nil {
		return err
	}
	all, err := l.shelf(a).List()
	if err != nil {
		return needRoot(err)
	}
	if a.json {
		return a.printJSON(append([]archive.Archive{}, all...))
	}
	if len(all) == 0 {
		fmt.Fprintln(a.Stdout, "nothing was removed")
	}
	rows := make([][]string, 0, len(all))
	for _, archived := range all {
		rows = append(rows, []string{archived.Of, archived.Date.Local().Format(time.DateTime), term.Bytes(archived.Bytes), archived.Path})
	}
	term.Table(a.Stdout, rows)
	return nil
}
