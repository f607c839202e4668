package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/boot"
	"stet/internal/facts"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/systemd"
)

// live is this machine as plans are made for it and carried out on it.
type live struct {
	installed
	store *store.Store
	begun *begun // nil: nothing is
}

func (a *app) live(s *store.Store, esp espFlag) (live, error) {
	i, err := a.installed(esp)
	return live{installed: i, store: s}, err
}

// facts is the machine as somebody who looks at it needs it.
func (l live) facts() facts.Machine {
	return facts.Machine{
		Root: l.root, Store: l.store, State: filepath.Join(l.installed.store, "state"),
		Units: func(ctx context.Context, of *systemd.User) ([]systemd.Unit, error) {
			if of == nil && l.begun != nil {
				if units := l.begun.units(ctx); units != nil {
					return units, nil
				}
			}
			return l.manager(of).Units(ctx)
		},
	}
}

// activate is the machine as somebody who changes it needs it.
func (l live) activate(a *app) activate.Machine {
	return activate.Machine{
		Root: l.root, Store: l.installed.store, State: filepath.Join(l.installed.store, "state"), Now: a.Now,
		Systemd: activate.Managers{Machine: l.facts(), System: l.manager(nil)},
	}
}

// plan makes the plan that leads to a system of the store; what is to be restored
// beside is that of an undo.
func (l live) plan(ctx context.Context, digest string, restore *plan.Restore) (*plan.Plan, error) {
	look := l.facts()
	_, running, err := look.Running()
	if err != nil {
		return nil, explainLive(err)
	}
	next, err := facts.System(l.store, digest)
	if err != nil {
		return nil, err
	}
	if next.Machine != running.Machine {
		return nil, wrongInput(fmt.Errorf("this machine is %s, and the system is one of %s", running.Machine, next.Machine), "name the machine, or rename it in the configuration")
	}
	seen, err := look.Gather(ctx, next, restore)
	if err != nil {
		return nil, explainLive(err)
	}
	if seen.ESP, err = l.espFacts(running, next); err != nil {
		return nil, err
	}
	return plan.Make(l.store, running, next, seen)
}

// espFacts says what of two systems is on the ESP, by its size: who writes an entry
// reads it. nil says that none is mounted.
func (l live) espFacts(systems ...plan.System) (*plan.ESPFacts, error) {
	dir, err := l.needESP()
	if err != nil {
		return nil, nil
	}
	esp, err := boot.Look(dir)
	if err != nil {
		return nil, err
	}
	seen := &plan.ESPFacts{Free: esp.Free}
	for _, of := range systems {
		for name, blob := range map[string]plan.Blob{boot.KernelPath(of.Kernel.Digest): of.Kernel, boot.InitrdPath(of.Initrd.Digest): of.Initrd} {
			if there, ok := esp.Blobs[name]; ok && there.Size == blob.Size {
				seen.Has = append(seen.Has, blob.Digest)
			}
		}
	}
	return seen, nil
}

// mounts says what of a system is mounted.
func (l live) mounts(digest string) (activate.System, error) {
	text, err := l.store.System(digest)
	if err != nil {
		return activate.System{}, err
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		return activate.System{}, err
	}
	images := map[string]string{}
	for name, image := range manifest.Images {
		images[name] = image.String()
	}
	return activate.System{Digest: digest, Trees: manifest.Trees, Images: images}, nil
}

// explainLive gives errors of looking at a machine the remedy people expect.
func explainLive(err error) error {
	if errors.Is(err, facts.ErrNone) {
		return &Failure{Code: ExitFailed, Err: err, Remedy: "run it on the machine itself, or in it: `stet vm`"}
	}
	return needRoot(err)
}

func newPlan(a *app) *cobra.Command {
	var esp espFlag
	var from fromFlag
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "plan [MACHINE]",
		Short: "Say what a switch would do",
		Long: `Build a machine's system, or with --from take it from a directory that "stet send
--to" wrote, and say what it takes to make it the running one: what is done to
which unit, and why; what changes; and what goes on as before, until when.
Nothing that runs is touched. "stet switch" does just that.

Exit code 3 says that there is something to decide first, or with --exit-code
that there is anything to do.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withWanted(cmd.Context(), from, args, func(s *store.Store, w wanted) error {
				l, err := a.live(s, esp)
				if err != nil {
					return err
				}
				p, err := l.plan(cmd.Context(), w.System, nil)
				if err != nil {
					return err
				}
				return a.reportPlan(p, exitCode)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 3 when there is anything to do")
	esp.add(cmd)
	return cmd
}
