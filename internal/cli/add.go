package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/edition"
	"stet/internal/lock"
	"stet/internal/source"
	"stet/internal/term"
)

// addReport is what `stet add --json` and `stet remove --json` print.
type addReport struct {
	Machine  string         `json:"machine"`
	Packages []string       `json:"packages"`
	Files    []edition.File `json:"files"` // of the repository, beside stet.lock
	Commit   string         `json:"commit,omitempty"`
}

// addOptions are those of `stet add` and `stet remove`.
type addOptions struct {
	machine string
	message string
	flag    mirrorFlag
	edit    func(edition.Edition, context.Context, []string) ([]edition.File, error)
	already string // what is said when there is nothing to edit
}

func newAdd(a *app) *cobra.Command {
	return a.addCommand(addOptions{edit: edition.Edition.Want, already: "packages has %s already"}, "add PACKAGE…", "Want more packages",
		`Write packages into the configuration, where the others are, and lock. When they cannot
be had, the configuration is as it was. "stet switch" then installs them on this
machine, without a reboot.

A name may say where it comes from: "name/suite", "name=version", "name:architecture".`)
}

func newRemove(a *app) *cobra.Command {
	return a.addCommand(addOptions{edit: edition.Edition.WantNoMore, already: "packages does not have %s"}, "remove PACKAGE…", "Want packages no more",
		`Take packages out of the configuration, and lock. What only they needed goes with
them.`)
}

func (a *app) addCommand(o addOptions, use, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.add(cmd.Context(), args, o) },
	}
	cmd.Flags().StringVar(&o.machine, "machine", "", "the machine, where there are several")
	cmd.Flags().StringVarP(&o.message, "message", "m", "", "commit the edit and the lock with this `MESSAGE`")
	cmd.Flags().StringArrayVar(&o.flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	return cmd
}

func (a *app) add(ctx context.Context, packages []string, o addOptions) error {
	e, unlock, err := a.edition(ctx, o.machine, "--machine names one")
	if err != nil {
		return err
	}
	defer unlock()
	repository := e.Configuration.Dir
	files, err := o.edit(e, ctx, packages)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return wrongInput(fmt.Errorf(o.already, strings.Join(packages, ", ")), "`stet why PACKAGE` says where a package comes from")
	}
	if err := edition.Write(repository, files); err != nil {
		return err
	}
	if err := a.lock(ctx, lockOptions{flag: o.flag, quiet: true}); err != nil {
		return errors.Join(err, edition.TakeBack(repository, files))
	}
	report := &addReport{Machine: e.Machine, Packages: packages, Files: files}
	if o.message != "" {
		if report.Commit, err = source.CommitFiles(ctx, repository, append(edition.Names(files), lock.FileName), o.message); err != nil {
			return &Failure{Code: ExitFailed, Err: err, Remedy: "the files are written; commit them yourself"}
		}
	}
	if a.json {
		return a.printJSON(report)
	}
	page := planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}
	for _, f := range files {
		page.line(f.Name)
		page.difference(f.Diff)
	}
	page.line("next: `stet switch` on the machine, or `stet build`")
	return nil
}

// edition opens the repository for edits of a machine, which nobody else makes
// until unlock. The remedy is for one that there is not.
func (a *app) edition(ctx context.Context, machine, remedy string) (e edition.Edition, unlock func(), err error) {
	repository, err := a.repository()
	if err != nil {
		return e, nil, err
	}
	if unlock, err = edition.Lock(repository); err != nil {
		return e, nil, err
	}
	c, err := a.evaluate(ctx, repository)
	if err != nil {
		unlock()
		return e, nil, err
	}
	m, err := c.Machine(machine)
	if err != nil {
		unlock()
		return e, nil, wrongInput(err, remedy)
	}
	return edition.Edition{Configuration: c, Machine: m.Name}, unlock, nil
}
