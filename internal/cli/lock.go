package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/lock"
	"stet/internal/mirror"
	"stet/internal/rootfs"
	"stet/internal/solve"
)

// lockReport is what `stet lock --json` and `stet update --json` print.
type lockReport struct {
	OK       bool          `json:"ok"`
	Changed  bool          `json:"changed"`
	Epoch    string        `json:"epoch,omitempty"`
	Packages int           `json:"packages"`
	Moved    []movedItem   `json:"moved"`
	Seconds  float64       `json:"seconds"`
	Machines []lockMachine `json:"machines,omitempty"` // with --dry-run and --explain
}

// movedItem is a package that came, went or changed its version.
type movedItem struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	From         string `json:"from,omitempty"`
	To           string `json:"to,omitempty"`
}

func newLock(a *app) *cobra.Command {
	var flag mirrorFlag
	var explain, dryRun, locked bool
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Resolve what the machines wish, and prove it",
		Long: `Resolve the packages of every machine, fetch them, configure them once, and
write stet.lock. What is locked stays; ` + "`stet update`" + ` moves it. When the lock
answers every wish, nothing is asked of the network.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.lock(cmd.Context(), lockOptions{flag: flag, explain: explain, dryRun: dryRun, locked: locked})
		},
	}
	cmd.Flags().StringArrayVar(&flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	cmd.Flags().BoolVar(&explain, "explain", false, "say why each package is there")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "resolve only: fetch no package, write nothing")
	cmd.Flags().BoolVar(&locked, "locked", false, "refuse to change the lock: exit code 3 when it would have to be")
	return cmd
}

func newUpdate(a *app) *cobra.Command {
	var flag mirrorFlag
	cmd := &cobra.Command{
		Use:   "update [PACKAGE]…",
		Short: "Move the lock to newer packages",
		Long: `Move the named packages to the newest version of their archive, or, without
names, everything and the epoch. Then lock as ` + "`stet lock`" + ` does.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			update := build.Update{All: len(args) == 0, Packages: map[string]bool{}}
			for _, name := range args {
				update.Packages[name] = true
			}
			return a.lock(cmd.Context(), lockOptions{flag: flag, update: update})
		},
	}
	cmd.Flags().StringArrayVar(&flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	return cmd
}

type lockOptions struct {
	flag    mirrorFlag
	update  build.Update
	explain bool
	dryRun  bool
	locked  bool
}

func (a *app) lock(ctx context.Context, o lockOptions) error {
	begin := a.Now()
	c, err := a.load(ctx)
	if err != nil {
		return err
	}
	old, err := readLock(c.Dir)
	if err != nil {
		return err
	}
	if err := knownPackages(o.update, old); err != nil {
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
	client, err := a.client(s, o.flag, report)
	if err != nil {
		return err
	}
	locker := build.Locker{Store: s, Mirror: client, Provider: rootfs.Overlay{}, Report: report, Now: a.Now()}
	var reasons []lockMachine // with --dry-run and --explain
	if o.dryRun || o.explain {
		next, solutions, err := locker.Resolve(ctx, c.Machines, old, o.update)
		if err != nil {
			return explainLock(err)
		}
		reasons = machineReasons(c.Machines, solutions)
		if o.dryRun {
			done()
			return a.reportLock(old, next, reasons, o.explain, a.Now().Sub(begin))
		}
	}
	next, err := locker.Lock(ctx, c.Machines, old, o.update)
	if err != nil {
		return explainLock(err)
	}
	if next != old {
		if err := writeLock(c, next); err != nil {
			return err
		}
	}
	done()
	return a.reportLock(old, next, reasons, o.explain, a.Now().Sub(begin))
}

// knownPackages refuses to update what is not locked.
func knownPackages(u build.Update, old *lock.Lock) error {
	for name := range u.Packages {
		if old == nil || !slices.ContainsFunc(old.Packages, func(p lock.Package) bool { return p.Name == name }) {
			return wrongInput(fmt.Errorf("package %s is not in %s", name, lock.FileName), "name packages that are locked, or none to update all")
		}
	}
	return nil
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

func (a *app) reportLock(old, next *lock.Lock, reasons []lockMachine, explain bool, took time.Duration) error {
	report := lockReport{
		OK: true, Changed: old != next, Packages: len(next.Packages), Moved: moved(old, next), Seconds: took.Seconds(),
		Epoch: time.Unix(next.Epoch, 0).UTC().Format(time.RFC3339), Machines: reasons,
	}
	if a.json {
		return a.printJSON(report)
	}
	if !report.Changed {
		fmt.Fprintf(a.Stdout, "%s is up to date: %s\n", lock.FileName, count(report.Packages, "package"))
	} else {
		if old != nil {
			for _, m := range report.Moved {
				fmt.Fprintln(a.Stdout, describeMove(m))
			}
		}
		fmt.Fprintf(a.Stdout, "%s: %s, epoch %s\n", lock.FileName, count(report.Packages, "package"), report.Epoch)
	}
	if explain {
		a.printReasons(reasons)
	}
	return nil
}

func describeMove(m movedItem) string {
	switch {
	case m.From == "":
		return fmt.Sprintf("+ %s %s", m.Name, m.To)
	case m.To == "":
		return fmt.Sprintf("- %s %s", m.Name, m.From)
	}
	return fmt.Sprintf("~ %s %s → %s", m.Name, m.From, m.To)
}

// moved compares two locks by name and architecture.
func moved(old, next *lock.Lock) []movedItem {
	type id struct{ name, architecture string }
	versions := map[id][2]string{}
	collect := func(l *lock.Lock, side int) {
		if l == nil {
			return
		}
		for _, p := range l.Packages {
			v := versions[id{p.Name, p.Architecture}]
			v[side] = p.Version
			versions[id{p.Name, p.Architecture}] = v
		}
	}
	collect(old, 0)
	collect(next, 1)
	out := []movedItem{}
	for k, v := range versions {
		if v[0] != v[1] {
			out = append(out, movedItem{k.name, k.architecture, v[0], v[1]})
		}
	}
	slices.SortFunc(out, func(a, b movedItem) int {
		return slices.Compare([]string{a.Name, a.Architecture}, []string{b.Name, b.Architecture})
	})
	return out
}

// explainLock tells wrong wishes from failures: the former are input.
func explainLock(err error) error {
	var wants *solve.WantError
	var depends *solve.DependencyError
	var conflicts *solve.ConflictError
	var gone *mirror.GoneError
	switch {
	case errors.As(err, &wants), errors.As(err, &depends), errors.As(err, &conflicts):
		return wrongInput(err, "")
	case errors.As(err, &gone):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "`stet update` moves to packages that the mirrors have"}
	}
	return err
}
