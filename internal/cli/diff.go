package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/census"
	"stet/internal/config"
	"stet/internal/plan"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/term"
	"stet/internal/tree"
)

// difference is a value that two systems have differently.
type difference struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// unitChange is a unit whose files differ.
type unitChange struct {
	Name   string `json:"name"`
	Change string `json:"change"` // added, removed, changed
}

// diffReport is what `stet diff --json` prints.
type diffReport struct {
	Old         string         `json:"old"` // digest of the system
	New         string         `json:"new"`
	Machine     *difference    `json:"machine,omitempty"`
	Kernel      *difference    `json:"kernel,omitempty"`
	CommandLine *difference    `json:"command_line,omitempty"`
	Packages    []plan.Package `json:"packages"`
	Units       []unitChange   `json:"units"`
	Users       []plan.User    `json:"users"`
	Groups      []plan.Group   `json:"groups"`
	Files       []plan.File    `json:"files"`
	OldBytes    int64          `json:"old_bytes"` // that only the old one needs
	NewBytes    int64          `json:"new_bytes"`
	Shared      int64          `json:"shared_bytes"`
}

func newDiff(a *app) *cobra.Command {
	var machine string
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two systems",
		Long: `Compare two systems: packages with their versions, units, users, files with their
text, kernel, command line, and bytes. A and B are numbers of generations, digests
of systems in the store, or commits of the repository; those are built from the
lock that the commit has.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			open := a.openStore
			if slices.ContainsFunc(args, isNumber) {
				open = a.openMachine
			}
			s, err := open()
			if err != nil {
				return needRoot(err)
			}
			defer s.Close()
			var systems [2]string
			for i, arg := range args {
				if systems[i], err = a.systemNamed(cmd.Context(), s, arg, machine); err != nil {
					return err
				}
			}
			report, all, err := diffSystems(cmd.Context(), s, systems[0], systems[1])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(report)
			}
			a.printDiff(report, all)
			return nil
		},
	}
	cmd.Flags().StringVar(&machine, "machine", "", "which `MACHINE` of the repository, when commits are compared")
	return cmd
}

// digestPrefix is how a digest of a system may be written.
var digestPrefix = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// isNumber reports whether a generation is meant, and no digest or commit.
func isNumber(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil && len(name) < 7
}

// systemNamed finds the system that a person means: a generation, a system of the
// store, or what a commit builds.
func (a *app) systemNamed(ctx context.Context, s *store.Store, name, machine string) (string, error) {
	if isNumber(name) {
		number, err := generationNumber(name)
		if err != nil {
			return "", err
		}
		i, err := a.installed(espFlag{})
		if err != nil {
			return "", err
		}
		history, err := i.generations().List()
		if err != nil {
			return "", needRoot(err)
		}
		g, err := find(history, number)
		return g.System, err
	}
	if digestPrefix.MatchString(name) {
		all, err := s.List(store.Systems)
		if err != nil {
			return "", err
		}
		var found []string
		for _, digest := range all {
			if strings.HasPrefix(digest, name) {
				found = append(found, digest)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	dir, err := a.repository()
	if err != nil {
		return "", wrongInput(fmt.Errorf("%q is no generation, and no system of the store", name), "`stet generations` lists the generations; in a repository a commit will do")
	}
	commit, err := source.Find(ctx, dir, name)
	if err != nil {
		return "", err
	}
	if commit == "" {
		return "", wrongInput(fmt.Errorf("%q is no generation, no system of the store, and no commit of %s", name, dir), "")
	}
	return a.buildCommit(ctx, s, dir, commit, machine)
}

// buildCommit builds a machine as a commit has it.
func (a *app) buildCommit(ctx context.Context, s *store.Store, dir, commit, machine string) (string, error) {
	temp, err := s.TempDir("commit")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	if err := source.Export(ctx, dir, commit, temp); err != nil {
		return "", err
	}
	c, err := config.Load(ctx, temp)
	if err != nil {
		return "", fmt.Errorf("commit %.12s: %w", commit, err)
	}
	m, err := c.Machine(machine)
	if err != nil {
		return "", wrongInput(fmt.Errorf("commit %.12s: %w", commit, err), "--machine names one")
	}
	built, err := a.buildMachine(ctx, s, c, m)
	if err != nil {
		return "", fmt.Errorf("commit %.12s: %w", commit, err)
	}
	return built.Digest, nil
}

// diffSystems compares. The plan of a switch between the two has most of it.
func diffSystems(ctx context.Context, s *store.Store, old, new string) (*diffReport, *plan.Plan, error) {
	a, err := readManifest(s, old)
	if err != nil {
		return nil, nil, err
	}
	b, err := readManifest(s, new)
	if err != nil {
		return nil, nil, err
	}
	all, err := plan.Make(s, planSystem(old, a), planSystem(new, b), &plan.Facts{Format: plan.Format})
	if err != nil {
		return nil, nil, err
	}
	report := &diffReport{
		Old: old, New: new, Machine: changed(a.Machine, b.Machine), Kernel: changed(a.KernelVersion, b.KernelVersion), CommandLine: changed(a.CommandLine, b.CommandLine),
		Packages: all.Packages, Users: all.Users, Groups: all.Groups, Files: all.Files,
	}
	if report.Units, err = diffUnits(s, a, b); err != nil {
		return nil, nil, err
	}
	counted, err := census.Take(ctx, s, []census.Claim{{Systems: []string{old}}, {Systems: []string{new}}})
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(counted.Errs...); err != nil {
		return nil, nil, err
	}
	report.OldBytes, report.Shared = counted.Sizes(0)
	report.NewBytes, _ = counted.Sizes(1)
	return report, all, nil
}

func readManifest(s *store.Store, digest string) (*system.Manifest, error) {
	text, err := s.System(digest)
	if err != nil {
		return nil, err
	}
	return system.ParseManifest(text)
}

// planSystem gives a system as plans know it.
func planSystem(digest string, m *system.Manifest) plan.System {
	return plan.System{
		Digest: digest, Machine: m.Machine, Trees: m.Trees, Kernel: plan.Blob{Digest: m.Kernel}, KernelVersion: m.KernelVersion,
		Initrd: plan.Blob{Digest: m.Initrd}, CommandLine: m.CommandLine,
	}
}

func changed(old, new string) *difference {
	if old == new {
		return nil
	}
	return &difference{old, new}
}

// unitDirectories are where systems have units, by tree.
var unitDirectories = []struct{ tree, dir string }{
	{"etc", "/systemd/system"}, {"usr", "/lib/systemd/system"}, {"etc", "/systemd/user"}, {"usr", "/lib/systemd/user"},
}

// diffUnits names the units of which a file, or a file that adds to it, differs.
func diffUnits(s *store.Store, a, b *system.Manifest) ([]unitChange, error) {
	units := []unitChange{}
	seen := map[string]bool{}
	for _, of := range unitDirectories {
		if a.Trees[of.tree] == b.Trees[of.tree] {
			continue
		}
		old, err := s.Tree(a.Trees[of.tree])
		if err != nil {
			return nil, err
		}
		new, err := s.Tree(b.Trees[of.tree])
		if err != nil {
			return nil, err
		}
		for c := range tree.Diff(old, new) {
			rest, below := strings.CutPrefix(c.Path(), of.dir+"/")
			if !below || c.Old != nil && c.New != nil && c.Old.SameContent(c.New) && c.Old.Target == c.New.Target {
				continue
			}
			name, file, dropIn := strings.Cut(rest, "/")
			name, isDir := strings.CutSuffix(name, ".d")
			if dropIn != isDir || isDir && path.Ext(file) != ".conf" || seen[name] {
				continue // links in .wants say what is enabled, and are files of their own
			}
			seen[name] = true
			how := "changed"
			switch {
			case dropIn:
			case c.Old == nil:
				how = "added"
			case c.New == nil:
				how = "removed"
			}
			units = append(units, unitChange{name, how})
		}
	}
	return units, nil
}

func (a *app) printDiff(r *diffReport, all *plan.Plan) {
	if r.Old == r.New {
		fmt.Fprintf(a.Stdout, "both are system %.12s\n", r.Old)
		return
	}
	page := planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}
	var rows [][]string
	for _, c := range []struct {
		name string
		of   *difference
	}{{"machine", r.Machine}, {"kernel", r.Kernel}, {"command line", r.CommandLine}} {
		if c.of != nil {
			rows = append(rows, []string{c.name, c.of.Old, "→ " + c.of.New})
		}
	}
	page.section("system", rows)
	page.section("packages", packageRows(all))
	rows = nil
	for _, u := range r.Units {
		rows = append(rows, []string{u.Name, u.Change})
	}
	page.section("units", rows)
	page.section("users", accountRows(all))
	page.files(all)
	fmt.Fprintf(a.Stdout, "%s only before, %s only after, %s in both\n", term.Bytes(r.OldBytes), term.Bytes(r.NewBytes), term.Bytes(r.Shared))
}
