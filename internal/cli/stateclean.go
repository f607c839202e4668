package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"stet/internal/archive"
	"stet/internal/ledger"
	"stet/internal/progress"
	"stet/internal/term"
)

// cleanReport is what `stet state clean --json` prints.
type cleanReport struct {
	Done    bool              `json:"done"`    // false: nobody said yes
	Chosen  []ledger.Entry    `json:"chosen"`  // what goes
	Removed []archive.Archive `json:"removed"` // where it is now
	Left    []ledger.Refused  `json:"left,omitempty"`
}

func newStateClean(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "clean [PATH…]",
		Short: "Archive and remove the state that has lost its owner",
		Long: `Archive what "stet state" says has lost its owner, and remove it, or only what is at
the named paths and below them. What nobody ever declared goes only when it is named.
What has an owner stays, and so does what is mounted, or open in any process.

It asks before; --yes answers. Where nobody can be asked, nothing is done and the exit
code is 3. "stet state --saved" lists the archives, "stet state restore" brings one
back.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			l, err := a.live(s, espFlag{})
			if err != nil {
				return err
			}
			report, err := a.clean(cmd.Context(), l, args, yes)
			if err != nil {
				return err
			}
			return a.reportClean(report)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// clean takes away what was chosen, when somebody says so.
func (a *app) clean(ctx context.Context, l live, names []string, yes bool) (*cleanReport, error) {
	state, err := a.state(ctx, l)
	if err != nil {
		return nil, err
	}
	r := &cleanReport{Chosen: []ledger.Entry{}, Removed: []archive.Archive{}}
	chosen, refused := ledger.Choose(state.Entries, names)
	if len(names) > 0 && len(refused) > 0 {
		return nil, wrongInput(fmt.Errorf("%s stays: %s", refused[0].Path, refused[0].Why), "`stet state` tells what has lost its owner")
	}
	r.Chosen, r.Left = append(r.Chosen, chosen...), refused
	if len(chosen) == 0 {
		r.Done = true
		return r, nil
	}
	if !yes {
		if yes, err = a.confirmed(chosen); err != nil || !yes {
			return r, err
		}
	}
	r.Done = true
	return r, a.takeAll(ctx, l, r)
}

// confirmed shows what would go, and asks. Without a terminal nobody says yes.
func (a *app) confirmed(chosen []ledger.Entry) (bool, error) {
	rows := make([][]string, 0, len(chosen))
	for _, e := range chosen {
		rows = append(rows, stateRow(e))
	}
	term.Table(a.Stderr, rows)
	in, isFile := a.Stdin.(*os.File)
	if !isFile || !xterm.IsTerminal(int(in.Fd())) {
		return false, &Failure{Code: ExitDiffers, Err: errors.New("nothing was removed, because nobody can be asked"), Remedy: "--yes says that it may go, into an archive"}
	}
	fmt.Fprint(a.Stderr, "archive and remove it? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// takeAll takes away one after the other. What cannot go is left, and said.
func (a *app) takeAll(ctx context.Context, l live, r *cleanReport) error {
	report, done := a.progress()
	defer done()
	shelf := l.shelf(a)
	for i, e := range r.Chosen {
		report.Report(progress.Event{Stage: "archive", Detail: e.Path, Done: int64(i), Total: int64(len(r.Chosen))})
		archived, problems, err := shelf.Take(ctx, e.Path)
		for _, problem := range problems {
			a.term.Note(problem)
		}
		var held *archive.HeldError
		switch {
		case errors.As(err, &held):
			r.Left = append(r.Left, ledger.Refused{Path: e.Path, Why: held.By[0]})
		case err != nil && len(r.Removed) > 0 && ctx.Err() == nil:
			// What went before is told all the same.
			r.Left = append(r.Left, ledger.Refused{Path: e.Path, Why: err.Error()})
		case err != nil:
			return explainArchive(err)
		default:
			r.Removed = append(r.Removed, archived)
		}
	}
	return nil
}

func (a *app) reportClean(r *cleanReport) error {
	failure := error(nil)
	if len(r.Left) > 0 && r.Done {
		failure = &Failure{Code: ExitDiffers}
	}
	if a.json {
		return errors.Join(a.printJSON(r), failure)
	}
	switch {
	case !r.Done:
		fmt.Fprintln(a.Stdout, "nothing was removed")
	case len(r.Chosen) == 0 && len(r.Left) == 0:
		fmt.Fprintln(a.Stdout, "nothing has lost its owner")
	}
	for _, archived := range r.Removed {
		term.Table(a.Stdout, [][]string{{archived.Of + " is in " + archived.Path}})
	}
	for _, left := range r.Left {
		term.Table(a.Stdout, [][]string{{"left: " + left.Path + ": " + left.Why}})
	}
	if len(r.Removed) > 0 {
		fmt.Fprintln(a.Stdout, "`stet state restore` brings it back")
	}
	return failure
}

func newStateRestore(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restore ARCHIVE",
		Short: "Bring back what was archived and removed",
		Long: `Bring back what "stet state clean" archived, to where it was: whole, and only where
nothing is. An archive is named by its path, or as "stet state --saved" lists it; it
stays.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			l, err := a.live(s, espFlag{})
			if err != nil {
				return err
			}
			name := args[0]
			if strings.Contains(name, "/") {
				name = absolute(a.Dir, name)
			}
			archived, problems, err := l.shelf(a).Restore(cmd.Context(), name)
			for _, problem := range problems {
				a.term.Note(problem)
			}
			if err != nil {
				return explainArchive(err)
			}
			if a.json {
				return a.printJSON(archived)
			}
			term.Table(a.Stdout, [][]string{{archived.Of + " is back; its archive stays in " + archived.Path}})
			return nil
		},
	}
}

// explainArchive adds remedies.
func explainArchive(err error) error {
	var taken *archive.TakenError
	switch {
	case errors.As(err, &taken):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "move it away first"}
	case errors.Is(err, archive.ErrBusy):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "wait until it is done"}
	case errors.Is(err, fs.ErrNotExist):
		return wrongInput(err, "`stet state --saved` lists the archives")
	}
	return needRoot(err)
}
