package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/adopt"
	"stet/internal/drift"
	"stet/internal/edition"
	"stet/internal/plan"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/term"
	"stet/internal/tree"
)

// adoptReport is what `stet adopt --json` prints.
type adoptReport struct {
	Adopted []drift.Finding `json:"adopted"`
	Left    []adopt.Left    `json:"left"`
	Files   []edition.File  `json:"files"` // of the repository
	Commit  string          `json:"commit,omitempty"`
}

// adoptOptions are those of `stet adopt`.
type adoptOptions struct {
	names              []string
	all, ask, onlyShow bool
	message            string
}

func newAdopt(a *app) *cobra.Command {
	var o adoptOptions
	cmd := &cobra.Command{
		Use:   "adopt PATH|NAME…",
		Short: "Take what changed on this machine into its configuration",
		Long: `Write what "stet drift" says is no longer as declared into the configuration: by the
paths and names that it tells, or with --all everything. A file becomes one of files:,
or an option of the module that makes it; so does what somebody put into /usr/local and
/opt. Units, also those of this run only, users, groups, mounts, kernel variables and
parameters become what they are. Comments, order and layout stay, and the edit is
shown. With -m it is committed.

Nothing is written before the changed configuration was read again and says what the
machine is. What cannot be adopted is left, with the reason: exit code 3. The machine
itself is as it was; "stet switch" then finds that it is what is declared.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			if (len(args) > 0) == (o.all || o.ask) {
				return wrongInput(errors.New("it is not clear what to adopt"), "name what `stet drift` tells, or say --all or --interactive")
			}
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			return a.adopt(cmd.Context(), s, o)
		},
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "everything that differs")
	cmd.Flags().BoolVar(&o.ask, "interactive", false, "ask for each")
	cmd.Flags().BoolVar(&o.onlyShow, "dry-run", false, "only show the edit")
	cmd.Flags().StringVarP(&o.message, "message", "m", "", "commit the edit with this `MESSAGE`")
	return cmd
}

func (a *app) adopt(ctx context.Context, s *store.Store, o adoptOptions) error {
	report, seen, err := a.drift(ctx, s, espFlag{})
	if err != nil {
		return err
	}
	chosen, err := a.choose(report, o)
	if err != nil {
		return err
	}
	e, unlock, err := a.edition(ctx, report.Machine, "-C names the repository of this machine")
	if err != nil {
		return err
	}
	defer unlock()
	repository := e.Configuration.Dir
	about, err := a.adoptable(s, report, seen)
	if err != nil {
		return err
	}
	about.Named = len(o.names) > 0
	adopted, files, left, err := e.Adopt(ctx, about, chosen)
	if err != nil {
		return err
	}
	// A list is never null in JSON.
	out := &adoptReport{Adopted: append([]drift.Finding{}, adopted...), Files: append([]edition.File{}, files...), Left: append([]adopt.Left{}, left...)}
	if !o.onlyShow {
		if err := edition.Write(repository, files); err != nil {
			return err
		}
		if o.message != "" && len(files) > 0 {
			if out.Commit, err = source.CommitFiles(ctx, repository, edition.Names(files), o.message); err != nil {
				return &Failure{Code: ExitFailed, Err: err, Remedy: "the files are written; commit them yourself"}
			}
		}
	}
	return a.reportAdopted(out, o)
}

// choose gives the findings that a person means.
func (a *app) choose(report *driftReport, o adoptOptions) ([]drift.Finding, error) {
	var found []drift.Finding
	for _, f := range report.Findings {
		found = append(found, f.Finding)
	}
	if len(o.names) > 0 {
		chosen, unknown := drift.Named(o.names, found)
		if len(unknown) > 0 {
			return nil, wrongInput(fmt.Errorf("%s is as declared", strings.Join(unknown, ", ")), "`stet drift` tells what is not")
		}
		return slices.DeleteFunc(found, func(f drift.Finding) bool { return !chosen(f) }), nil
	}
	if !o.ask {
		return found, nil
	}
	answers := bufio.NewReader(a.Stdin)
	var chosen []drift.Finding
	page := planPage{a.Stderr, term.New(a.Stderr, a.Getenv), a.verbose}
	for _, f := range report.Findings {
		page.deviation(f)
		fmt.Fprint(a.Stderr, "adopt it? [y/N/q] ")
		answer, err := answers.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			chosen = append(chosen, f.Finding)
		case "q", "quit":
			return chosen, nil
		}
	}
	return chosen, nil
}

// adoptable is the machine as somebody who adopts it needs it.
func (a *app) adoptable(s *store.Store, report *driftReport, seen *drift.Seen) (adopt.Machine, error) {
	l, err := a.live(s, espFlag{})
	if err != nil {
		return adopt.Machine{}, err
	}
	_, running, err := l.facts().Running()
	if err != nil {
		return adopt.Machine{}, err
	}
	declared, err := plan.ReadDeclared(s, running)
	if err != nil {
		return adopt.Machine{}, err
	}
	etc, err := s.Tree(running.Trees["etc"])
	if err != nil {
		return adopt.Machine{}, err
	}
	about := adopt.Machine{
		Before: func(name string) ([]byte, bool) {
			e, ok := etc.Lookup(strings.TrimPrefix(name, "/etc"))
			if !ok || e.Type != tree.Regular {
				return nil, false
			}
			if e.Size == 0 {
				return nil, true
			}
			content, err := s.ReadObject(e.Digest)
			return content, err == nil
		},
		Drifted: map[string]plan.Drifted{}, Variables: seen.Variables,
		Was: adopt.Accounts{Users: declared.Users, Groups: declared.Groups}, Is: adopt.ParseAccounts(seen.Passwd, seen.Group),
		Run: seen.Facts.Run, Mounts: seen.Mounts,
		Read: l.facts().Read, Below: l.facts().Below, Lasting: l.facts().Lasting, Memory: l.facts().Memory,
	}
	for _, d := range seen.Facts.Drift {
		about.Drifted[d.Path] = d
	}
	return about, nil
}

// reportAdopted shows the edit, and what is left.
func (a *app) reportAdopted(r *adoptReport, o adoptOptions) error {
	failure := error(nil)
	if len(r.Left) > 0 {
		failure = &Failure{Code: ExitDiffers}
	}
	if a.json {
		return errors.Join(a.printJSON(r), failure)
	}
	page := planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}
	for _, f := range r.Files {
		page.line(f.Name)
		page.difference(f.Diff)
	}
	for _, l := range r.Left {
		page.line(fmt.Sprintf("left: %s: %s", l.Finding.Name, l.Why))
		if l.Remedy != "" {
			page.line("      " + l.Remedy)
		}
	}
	switch n := count(len(r.Adopted), "finding"); {
	case len(r.Files) == 0:
		page.line("nothing was adopted")
	case o.onlyShow:
		page.line(n + " would be adopted")
	case r.Commit != "":
		page.line(fmt.Sprintf("%s adopted, in commit %.12s", n, r.Commit))
	default:
		page.line(n + " adopted; `stet lock`, then `stet switch`, make a generation of it")
	}
	return failure
}
