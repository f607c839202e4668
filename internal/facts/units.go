package facts

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"stet/internal/mount"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/systemd"
)

// transientUnits is where systemd keeps units that were made while the machine
// ran.
const transientUnits = "/run/systemd/transient/"

// SwitchUnit is the unit that a switch runs in. It is begun before there is a plan, and is
// no part of the machine that the plan is for.
const SwitchUnit = "stet-switch.service"

// surroundings are processes, and what managers say of their units.
type surroundings struct {
	*world
	managers []asked // the system's first
}

// asked is a manager with its units.
type asked struct {
	user  *systemd.User // nil: it is the system's
	units []systemd.Unit
}

// look asks all managers, and meanwhile looks at the processes.
func (m Machine) look(ctx context.Context) (*surroundings, error) {
	users, err := systemd.Users(m.run())
	if err != nil {
		return nil, err
	}
	around := &surroundings{managers: make([]asked, len(users)+1)}
	var looking errgroup.Group
	looking.Go(func() (err error) { around.world, err = readProcesses(m.proc()); return err })
	for i := range around.managers {
		of := &around.managers[i]
		if i > 0 {
			of.user = &users[i-1]
		}
		looking.Go(func() (err error) { of.units, err = m.Units(ctx, of.user); return err })
	}
	return around, looking.Wait()
}

// managers tells of the system's manager and of those of users.
func (m Machine) managers(around *surroundings, usr string) ([]plan.RunningManager, error) {
	w := around.world
	o, err := m.origins(w, usr)
	if err != nil {
		return nil, err
	}
	n := newNamespaces(w)
	all := make([]plan.RunningManager, len(around.managers))
	for i, of := range around.managers {
		user, service := of.user, ""
		if user != nil {
			all[i].User, service = user.Name, systemd.ManagerUnit(*user)
		}
		all[i].Maps = o.group(w.of(service, "init.scope"))
		for _, u := range of.units {
			if user == nil && u.Name == SwitchUnit {
				continue
			}
			unit := plan.RunningUnit{Name: u.Name, Active: u.Active, Sub: u.Sub}
			if user == nil {
				if _, err := os.Stat(m.at(transientUnits + u.Name)); err == nil {
					unit.Fragment = transientUnits + u.Name
				}
			}
			processes := w.of(service, u.Name)
			unit.Maps = o.group(processes)
			for _, p := range processes {
				if p.namespace != w.own {
					unit.Namespace = merge(unit.Namespace, n.judge(w.namespaces[p.namespace]))
				}
			}
			all[i].Units = append(all[i].Units, unit)
		}
	}
	return all, nil
}

// origins knows from which tree mapped files are.
type origins struct {
	usr   string                // device of the machine's /usr
	tree  string                // the tree that is mounted there
	known state.Devices         // trees that were mounted
	live  map[string]mount.Info // what is mounted anywhere, by device
}

func (m Machine) origins(w *world, tree string) (*origins, error) {
	known, err := state.ReadDevices(m.at(state.DevicesFile))
	if err != nil {
		return nil, err
	}
	o := &origins{tree: tree, known: known, live: map[string]mount.Info{}}
	for _, mounts := range w.namespaces {
		for _, i := range mounts {
			o.live[i.Device] = i
		}
	}
	if usr, ok := mount.On(w.mounts(), "/usr"); ok {
		o.usr = usr.Device
	}
	return o, nil
}

// of gives the tree and the path on the machine of a mapped file; false when it
// is from no usr tree.
//
// A file of modules is none: who has such an index looks whether it is another.
func (o *origins) of(f mapping) (tree, name string, ok bool) {
	if isBelow(below(f.path), "/usr/lib/modules") {
		return "", "", false
	}
	if f.device == o.usr {
		return o.tree, below(f.path), true
	}
	live, mounted := o.live[f.device]
	if mounted && !strings.HasPrefix(live.Source, treeSource+"usr:") {
		return "", "", false
	}
	if d, ok := o.known[f.device]; ok {
		return d.Tree, below(f.path), d.Name == "usr"
	}
	// It is mounted nowhere, and nobody noted that it ever was.
	return "", below(f.path), mounted || isBelow(f.path, "/usr")
}

// below gives the path below /usr of a file of a usr tree. Of a tree that is
// mounted no more, the kernel tells paths from its root on.
func below(name string) string {
	if isBelow(name, "/usr") {
		return name
	}
	return "/usr" + name
}

// group sorts the files that processes have by the trees they are from.
func (o *origins) group(processes []process) []plan.Maps {
	byTree := map[string]map[string]bool{}
	for _, p := range processes {
		for _, f := range p.maps {
			tree, name, ok := o.of(f)
			if !ok {
				continue
			}
			if byTree[tree] == nil {
				byTree[tree] = map[string]bool{}
			}
			byTree[tree][name] = true
		}
	}
	var all []plan.Maps
	for _, tree := range slices.Sorted(maps.Keys(byTree)) {
		all = append(all, plan.Maps{Tree: tree, Paths: slices.Sorted(maps.Keys(byTree[tree]))})
	}
	return all
}

// runFiles are the unit files in /run/systemd.
func (m Machine) runFiles() (map[string]plan.RunFile, error) {
	files := map[string]plan.RunFile{}
	for _, dir := range []string{"system", "system.control", "system.attached", "transient", "generator", "generator.early", "generator.late", "user"} {
		at := "/run/systemd/" + dir
		err := filepath.WalkDir(m.at(at), func(name string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			path := at + strings.TrimPrefix(name, m.at(at))
			switch entry.Type() {
			case os.ModeSymlink:
				link, err := os.Readlink(name)
				if err != nil {
					return err
				}
				files[path] = plan.RunFile{Link: link}
			case 0:
				text, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				files[path] = plan.RunFile{Text: string(text)}
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return files, nil
}
