package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/lock"
)

// lockReport is what `stet lock --json` and `stet update --json` print.
type lockReport struct {
	OK       bool          `json:"ok"`
	Changed  bool          `json:"changed"`
	Epoch    string        `json:"epoch,omitempty"`
	Packages int           `json:"packages"`
	Moved    []movedItem   `json:"moved"`
	Held     []heldItem    `json:"held,omitempty"`
	Seconds  float64       `json:"seconds"`
	Machines []lockMachine `json:"machines,omitempty"` // with --dry-run and --explain
}

func newLock(a *app) *cobra.Command {
	var flag mirrorFlag
	var explain, dryRun, locked bool
	var older []string
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Resolve what the machines wish, and prove it",
		Long: `Resolve the packages of every machine, fetch them, configure them once, and
write stet.lock. What is locked stays; ` + "`stet update`" + ` moves it. When the lock
answers every wish, nothing is asked of the network.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.lock(cmd.Context(), lockOptions{flag: flag, explain: explain, dryRun: dryRun, locked: locked, older: older})
		},
	}
	cmd.Flags().StringArrayVar(&flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	cmd.Flags().BoolVar(&explain, "explain", false, "say why each package is there")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "resolve only: fetch no package, write nothing")
	cmd.Flags().BoolVar(&locked, "locked", false, "refuse to change the lock: exit code 3 when it would have to be")
	olderFlag(cmd, &older)
	return a.traced(cmd)
}

func newUpdate(a *app) *cobra.Command {
	var flag mirrorFlag
	var security, dryRun bool
	var older []string
	cmd := &cobra.Command{
		Use:   "update [PACKAGE]…",
		Short: "Move the lock to newer packages",
		Long: `Move the named packages to the newest version of their archive, or, without
names, everything and the epoch. With --security move only what a security suite
has a fix for. Then lock as ` + "`stet lock`" + ` does, and say what moved, and from where.
What a machine holds stays.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if security && len(args) > 0 {
				return wrongInput(errors.New("--security and the names of packages were given"), "name packages, or let --security find them")
			}
			update := build.Update{All: len(args) == 0 && !security, Packages: map[string]bool{}, Security: security}
			for _, name := range args {
				update.Packages[name] = true
			}
			return a.lock(cmd.Context(), lockOptions{flag: flag, update: update, dryRun: dryRun, older: older})
		},
	}
	cmd.Flags().StringArrayVar(&flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	cmd.Flags().BoolVar(&security, "security", false, "move only what a security suite has a fix for")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "resolve only: fetch no package, write nothing")
	olderFlag(cmd, &older)
	return a.traced(cmd)
}

// olderFlag is the way to accept what may be a replay.
func olderFlag(cmd *cobra.Command, older *[]string) {
	cmd.Flags().StringArrayVar(older, "allow-older", nil, "an archive of stet.lock whose Release may be older than the locked one")
}

type lockOptions struct {
	flag    mirrorFlag
	update  build.Update
	explain bool
	dryRun  bool
	locked  bool
	older   []string // names of archives
	quiet   bool     // the caller reports
}

func (a *app) lock(ctx context.Context, o lockOptions) error {
	begin := a.Now()
	a.observe()
	c, err := a.load(ctx)
	if err != nil {
		return err
	}
	if err := a.checkTracked(ctx, c); err != nil {
		return err
	}
	old, err := readLock(c.Dir)
	if err != nil {
		return err
	}
	if err := checkUpdate(&o, c, old); err != nil {
		return err
	}
	if o.locked && !build.UpToDate(c.Machines, old) {
		return &Failure{Code: ExitDiffers, Err: fmt.Errorf("%s does not answer what the machines wish", lock.FileName), Remedy: "`stet lock` without --locked resolves it"}
	}
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	report, done := a.progress()
	defer done()
	locker, err := a.locker(s, c.Dir, o.flag, report)
	if err != nil {
		return err
	}
	var reasons []lockMachine // with --dry-run and --explain
	if o.dryRun || o.explain {
		resolved, err := locker.Resolve(ctx, c.Machines, old, o.update)
		if err != nil {
			return explainLock(err)
		}
		reasons = machineReasons(c.Machines, resolved.Solutions)
		if o.dryRun {
			done()
			// Nothing is proved in a dry run, so that the two are never one.
			if build.UpToDate(c.Machines, old) && old.Epoch == resolved.Lock.Epoch && len(moved(old, resolved)) == 0 {
				resolved.Lock = old
			}
			return a.reportLock(old, resolved, reasons, o, a.Now().Sub(begin))
		}
	}
	resolved, err := locker.Lock(ctx, c.Machines, old, o.update)
	if err != nil {
		return explainAnswer(c, explainLock(err))
	}
	if resolved.Lock != old {
		if err := writeLock(c, resolved.Lock); err != nil {
			return err
		}
	}
	done()
	for _, note := range a.observed.notes() {
		a.term.Note(note)
	}
	if o.quiet {
		return nil
	}
	return a.reportLock(old, resolved, reasons, o, a.Now().Sub(begin))
}

// writeLock replaces the lock, whole or not at all.
func writeLock(c *config.Configuration, l *lock.Lock) error {
	name := filepath.Join(c.Dir, lock.FileName)
	temp, err := os.CreateTemp(c.Dir, ".stet.lock-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = temp.Write(l.Format())
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (a *app) reportLock(old *lock.Lock, resolved *build.Resolved, reasons []lockMachine, o lockOptions, took time.Duration) error {
	next := resolved.Lock
	report := lockReport{
		OK: true, Changed: old != next, Packages: len(next.Packages), Moved: moved(old, resolved), Held: held(resolved.Held), Seconds: took.Seconds(),
		Epoch: time.Unix(next.Epoch, 0).UTC().Format(time.RFC3339), Machines: reasons,
	}
	if a.json {
		return a.printJSON(report)
	}
	if !report.Changed {
		fmt.Fprintf(a.Stdout, "%s is up to date: %s\n", lock.FileName, count(report.Packages, "package"))
	} else {
		if old != nil {
			a.printMoves(report, o.update)
		}
		fmt.Fprintf(a.Stdout, "%s: %s, epoch %s\n", lock.FileName, count(report.Packages, "package"), report.Epoch)
	}
	if o.explain {
		a.printReasons(reasons)
	}
	return nil
}
