package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/systemd"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Machine is a running machine.
type Machine struct {
	Root  string // "/", or a directory that has proc, run and etc
	Store *store.Store
	State string // the directory of its state
	ESP   string // where it is mounted; "" where none is

	// Units lists the units of a manager; nil is the system's.
	Units func(ctx context.Context, of *systemd.User) ([]systemd.Unit, error)
}

func (m Machine) at(name string) string { return filepath.Join(m.Root, name) }

func (m Machine) proc() string { return m.at("proc") }

func (m Machine) run() string { return m.at("run") }

// ErrNone says that no system of Stet's runs.
var ErrNone = errors.New("no system of Stet runs here")

// Running is what runs: the record of the boot, or of the last switch, and the
// system that it names.
func (m Machine) Running() (state.Boot, plan.System, error) {
	text, err := os.ReadFile(m.at(state.BootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state.Boot{}, plan.System{}, ErrNone
	}
	if err != nil {
		return state.Boot{}, plan.System{}, err
	}
	boot, err := state.ParseBoot(text)
	if err != nil {
		return boot, plan.System{}, err
	}
	running, err := System(m.Store, boot.System)
	return boot, running, err
}

// System reads a system of the store as a plan takes it.
func System(s *store.Store, digest string) (plan.System, error) {
	text, err := s.System(digest)
	if err != nil {
		return plan.System{}, err
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		return plan.System{}, err
	}
	found := plan.System{
		Digest: digest, Machine: manifest.Machine, Trees: manifest.Trees,
		Kernel: plan.Blob{Digest: manifest.Kernel}, KernelVersion: manifest.KernelVersion,
		Initrd: plan.Blob{Digest: manifest.Initrd}, CommandLine: manifest.CommandLine,
	}
	for _, blob := range []*plan.Blob{&found.Kernel, &found.Initrd} {
		info, err := os.Stat(s.ObjectPath(blob.Digest))
		if err != nil {
			return plan.System{}, fmt.Errorf("system %.12s: %w", digest, err)
		}
		blob.Size = info.Size()
	}
	return found, nil
}

// Gather looks at the machine. Next is the system that a plan is to lead to: it
// says what of /etc outlives the switch. Its trees are taken to be complete in
// the store. Restore is what an undo asks for; nil: it is a switch.
//
// Processes and units, which take the most time, are not looked at where nothing can
// come of them: when next runs, all of /etc stays, and no process can have files of
// another system.
func (m Machine) Gather(ctx context.Context, next plan.System, restore *plan.Restore) (*plan.Facts, error) {
	boot, running, err := m.Running()
	if err != nil {
		return nil, err
	}
	var around *surroundings
	var looking errgroup.Group
	look := func() (err error) { around, err = m.look(ctx); return err }
	if next.Digest != running.Digest { // else it may not be needed
		looking.Go(look)
	}
	f, err := m.gatherFor(boot, running, next)
	if err = errors.Join(err, looking.Wait()); err != nil {
		return nil, err
	}
	f.Restore = restore
	if still, err := m.still(running, next, f); err != nil || still {
		return f, err
	}
	if around == nil {
		if err := look(); err != nil {
			return nil, err
		}
	}
	return f, m.gatherRunning(running, around, f)
}

// gatherFor looks at what is no process, for a plan that leads to a system.
func (m Machine) gatherFor(boot state.Boot, running, next plan.System) (*plan.Facts, error) {
	policy, err := m.Policy(next)
	if err != nil {
		return nil, err
	}
	return m.gather(boot, running, next, policy)
}

// still reports whether the machine is all that next is.
func (m Machine) still(running, next plan.System, f *plan.Facts) (bool, error) {
	goes := func(d plan.Drifted) bool { return !d.Persisted }
	if running.Digest != next.Digest || f.Restore != nil || slices.ContainsFunc(f.Drift, goes) {
		return false, nil
	}
	mounted, err := state.ReadDevices(m.at(state.DevicesFile))
	if err != nil {
		return false, err
	}
	for _, d := range mounted {
		if d.Tree != running.Trees[d.Name] {
			return false, nil
		}
	}
	return true, nil
}

// gatherRunning tells of what runs: processes, mounts and units.
func (m Machine) gatherRunning(running plan.System, around *surroundings, f *plan.Facts) (err error) {
	if f.Managers, err = m.managers(around, running.Trees["usr"]); err != nil {
		return err
	}
	f.Mounts = newNamespaces(around.world).others()
	if f.Run, err = m.runFiles(); err != nil {
		return fmt.Errorf("read unit files in /run: %w", err)
	}
	return nil
}

// gather looks at what is no process.
func (m Machine) gather(boot state.Boot, running, next plan.System, policy state.Policy) (f *plan.Facts, err error) {
	f = &plan.Facts{Format: plan.Format}
	if f.Booted, err = m.booted(running); err != nil {
		return nil, err
	}
	if f.Drift, err = m.drift(boot, running, policy); err != nil {
		return nil, err
	}
	for name, fields := range policy.Users {
		if slices.Contains(fields, state.FieldPassword) {
			f.OwnPasswords = append(f.OwnPasswords, name)
		}
	}
	slices.Sort(f.OwnPasswords)
	if f.Sessions, err = systemd.LoggedIn(m.run()); err != nil {
		return nil, err
	}
	if f.States, err = m.states(); err != nil {
		return nil, err
	}
	for _, digest := range next.Trees {
		f.Trees = append(f.Trees, digest)
	}
	slices.Sort(f.Trees)
	var room unix.Statfs_t
	if err := unix.Statfs(m.Store.Dir(), &room); err != nil {
		return nil, fmt.Errorf("look for room in the store: %w", err)
	}
	f.Disk = plan.DiskFacts{Free: int64(room.Bavail) * room.Bsize, Inodes: int64(room.Ffree)}
	return f, nil
}

// booted is what the kernel command line names: a live switch leaves it.
func (m Machine) booted(running plan.System) (plan.Booted, error) {
	text, err := os.ReadFile(m.at("proc/cmdline"))
	if err != nil {
		return plan.Booted{}, err
	}
	started := running
	for word := range strings.FieldsSeq(string(text)) {
		if digest, ok := strings.CutPrefix(word, "stet.system="); ok && digest != running.Digest {
			if started, err = System(m.Store, digest); err != nil {
				return plan.Booted{}, fmt.Errorf("the system that was booted: %w", err)
			}
		}
	}
	return plan.Booted{Kernel: started.Kernel.Digest, KernelVersion: started.KernelVersion, CommandLine: started.CommandLine}, nil
}

// Policy is what a system says of what outlives it in /etc.
func (m Machine) Policy(of plan.System) (state.Policy, error) {
	usr, err := m.Store.Files(of.Trees["usr"])
	if err != nil {
		return state.Policy{}, err
	}
	e, ok := usr.Lookup("/" + state.PolicyFile)
	if !ok || e.Type != tree.Regular {
		return state.Policy{}, nil
	}
	text, err := m.Store.ReadObject(e.Digest)
	if err != nil {
		return state.Policy{}, err
	}
	return state.ParsePolicy(text)
}

func (m Machine) drift(boot state.Boot, running plan.System, policy state.Policy) ([]plan.Drifted, error) {
	upper, err := m.Upper(boot)
	if err != nil {
		return nil, err
	}
	declared, err := m.Store.Tree(running.Trees["etc"])
	if err != nil {
		return nil, err
	}
	return Drift{Upper: upper.Upper(), Etc: m.at("etc"), Declared: declared, Policy: policy, Read: m.readObject}.Walk()
}

func (m Machine) readObject(d verity.Digest) ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return m.Store.ReadObject(d)
}

// Upper is the upper of /etc that is mounted. It is in memory when the disk took
// nothing more.
func (m Machine) Upper(boot state.Boot) (state.Upper, error) {
	dir := filepath.Join(m.State, "etc")
	if boot.Upper == 0 {
		dir = m.at("run/stet/etc")
	}
	uppers, err := state.Uppers(dir)
	if err != nil {
		return state.Upper{}, err
	}
	for _, u := range uppers {
		if u.Number == boot.Upper || boot.Upper == 0 {
			return u, nil
		}
	}
	return state.Upper{}, fmt.Errorf("the upper of /etc, number %d, is not in %s", boot.Upper, dir)
}

// states are those of services that were made on this machine.
func (m Machine) states() ([]string, error) {
	entries, err := os.ReadDir(m.at("var/lib/stet/service"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look which services have made their state: %w", err)
	}
	var made []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".made"); ok {
			made = append(made, name)
		}
	}
	return made, nil
}
