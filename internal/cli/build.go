package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/generation"
	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/term"
)

// buildReport is what `stet build --json` prints.
type buildReport struct {
	Machine  string            `json:"machine"`
	Digest   string            `json:"digest"`
	Root     string            `json:"root"` // of the packages alone, as the lock's result has it
	Trees    map[string]string `json:"trees"`
	Images   map[string]string `json:"images"` // name to path in the store
	Kernel   string            `json:"kernel"`
	Initrd   string            `json:"initrd"`
	Manifest string            `json:"manifest"`
	Packages int               `json:"packages"`
	Bytes    int64             `json:"bytes"` // of the objects that the trees name, each once
	Seconds  float64           `json:"seconds"`
	Reused   bool              `json:"reused"`
	Explain  []graph.Node      `json:"explain,omitempty"` // docs/formats/graph.md
	Twice    *twiceReport      `json:"twice,omitempty"`
}

func newBuild(a *app) *cobra.Command {
	var twice twice
	var explain bool
	cmd := &cobra.Command{
		Use:   "build [MACHINE]",
		Short: "Build a machine's system from the lock",
		Long: `Build the system of a machine: its trees, images, initrd and manifest. Nothing
is asked of the network; the same configuration and lock give the same digest
everywhere.

With --explain each stage of the build is told: whether it was reused or made and,
if so, which package, option or file made it be, and what it took. --trace draws the
same over time.

With --twice it is built once more, remembering nothing but unpacked packages,
in surroundings and an order as different as one host can have. Every
path that comes out differently is named, with the package that most likely
made it and the class that it may need in the residue table; exit code 1.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			begin := a.Now()
			conditions, err := a.enter(&twice)
			if err != nil {
				return err
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			if explain {
				a.observe()
			}
			built, err := a.build(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			report := reportBuild(s, built.System)
			report.Seconds = a.Now().Sub(begin).Seconds()
			if explain {
				if report.Explain, err = a.explained(s, built); err != nil {
					return err
				}
			}
			if twice.again {
				return a.printJSON(againReport{buildReport: *report, Surroundings: conditions})
			}
			if twice.on {
				if report.Twice, err = a.buildAgain(cmd.Context(), s, twice, built, args); err != nil {
					return err
				}
			}
			if a.json {
				return errors.Join(a.printJSON(report), report.Twice.failure())
			}
			if report.Twice != nil {
				a.printGraph(report.Explain)
				return a.reportTwice(report)
			}
			fmt.Fprintf(a.Stdout, "%s %s\n", report.Machine, report.Digest)
			how := "built"
			if report.Reused {
				how = "nothing to do"
			}
			fmt.Fprintf(a.Stdout, "%s, %s, %s in %.2f s\n", count(report.Packages, "package"), term.Bytes(report.Bytes), how, report.Seconds)
			a.printGraph(report.Explain)
			return nil
		},
	}
	cmd.Flags().BoolVar(&a.committed, "committed", false, "refuse a repository with changes that are not committed")
	cmd.Flags().BoolVar(&explain, "explain", false, "say of each stage whether it was reused or made, and why")
	cmd.Flags().BoolVar(&twice.on, "twice", false, "build it again under other conditions, and compare")
	cmd.Flags().Uint64Var(&twice.seed, "seed", 0, "with --twice: the order of the second build; by default a random one")
	cmd.Flags().BoolVar(&twice.again, "again", false, "be the second build of --twice")
	cmd.Flags().Lookup("again").Hidden = true
	return a.traced(cmd)
}

// builtMachine is a built system together with what it was built from.
type builtMachine struct {
	*build.System
	configuration *config.Configuration
	lock          *lock.Lock
	builder       *build.Builder
	provenance    generation.Provenance
	before        []byte // the record of the build before
}

// build builds the machine that args name.
func (a *app) build(ctx context.Context, s *store.Store, args []string) (*builtMachine, error) {
	c, m, err := a.machine(ctx, args)
	if err != nil {
		return nil, err
	}
	if a.again != nil {
		return a.buildMachine(ctx, s, c, m) // the first build has told, and noted
	}
	from := askProvenance(ctx, s, c, m.Name)
	defer from.forget()
	if err := a.checkTracked(ctx, c); err != nil {
		return nil, err
	}
	return a.buildNoted(ctx, s, c, m, from)
}

// buildNoted builds a machine, and notes what it was made of and where it came from.
func (a *app) buildNoted(ctx context.Context, s *store.Store, c *config.Configuration, m *machine.Machine, from *askedProvenance) (*builtMachine, error) {
	built, err := a.buildMachine(ctx, s, c, m)
	if err != nil {
		return nil, err
	}
	built.before = recordInputs(s, rootName(c.Dir, m.Name), built.Key, func() (*graph.Record, error) { return built.Record(s) })
	if built.provenance, err = from.get(); err != nil {
		return built, err
	}
	return built, recordProvenance(s, rootName(c.Dir, m.Name), built.Digest, built.provenance)
}

// buildMachine builds a machine and notes nothing of it.
func (a *app) buildMachine(ctx context.Context, s *store.Store, c *config.Configuration, m *machine.Machine) (*builtMachine, error) {
	l, err := needLock(c.Dir)
	if err != nil {
		return nil, err
	}
	return a.buildLocked(ctx, s, c, m, l)
}

// buildLocked builds a machine from a lock and notes nothing of it.
func (a *app) buildLocked(ctx context.Context, s *store.Store, c *config.Configuration, m *machine.Machine, l *lock.Lock) (*builtMachine, error) {
	report, done := a.progress()
	defer done()
	b, err := a.builder(s, c.Dir, report)
	if err != nil {
		return nil, err
	}
	if a.again != nil {
		a.again.unlike(b)
	}
	sources, closeSources, err := repositoryFS(c)
	if err != nil {
		return nil, err
	}
	defer closeSources()
	system, err := b.Build(ctx, m, l, sources)
	if err != nil {
		return nil, explainChecks(c, m.Name, explainMisfit(c, m.Name, explainAnswer(c, explain(err))))
	}
	return &builtMachine{System: system, configuration: c, lock: l, builder: b}, nil
}

func reportBuild(s *store.Store, built *build.System) *buildReport {
	m := built.Manifest
	report := &buildReport{
		Machine: m.Machine, Digest: built.Digest, Root: built.Root, Trees: m.Trees, Images: map[string]string{},
		Kernel: s.ObjectPath(m.Kernel), Initrd: s.ObjectPath(m.Initrd), Manifest: s.SystemPath(built.Digest),
		Packages: len(built.Packages), Bytes: built.Bytes, Reused: built.Reused,
	}
	for name, digest := range m.Images {
		report.Images[name] = s.ImagePath(digest)
	}
	return report
}
