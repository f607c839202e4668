package plan

import (
	"path"
	"slices"
	"strings"

	"stet/internal/unit"
)

// compareManagers says what managers and their units do, and what has to be run.
func (m *maker) compareManagers() error {
	for i := range m.facts.Managers {
		manager := &m.facts.Managers[i]
		action := Manager{User: manager.User, Action: ManagerReload}
		if err := m.reload(manager, &action); err != nil {
			return err
		}
		m.reexec(manager, &action)
		compared := len(m.plan.Units)
		if err := m.compareUnits(manager); err != nil {
			return err
		}
		if len(action.Reasons) == 0 && slices.ContainsFunc(m.plan.Units[compared:], isOtherwise) {
			action.Reasons = append(action.Reasons, Reason{WhyTrees, "/etc"}) // a link led to it
		}
		if len(action.Reasons) > 0 {
			m.plan.Managers = append(m.plan.Managers, action)
		}
	}
	return m.listTasks()
}

// isOtherwise reports whether a unit itself is another, and not only what it uses.
func isOtherwise(u Unit) bool {
	return slices.ContainsFunc(u.Reasons, func(r Reason) bool {
		return slices.Contains([]Why{WhyText, WhyRemoved, WhyMasked, WhyWanted, WhyUnwanted}, r.Why)
	})
}

// reexec has a manager start anew when its own program or configuration is
// another.
func (m *maker) reexec(manager *RunningManager, action *Manager) {
	var old []string
	for _, group := range manager.Maps {
		for _, name := range group.Paths {
			if m.isOld(group.Tree, name) {
				old = append(old, name)
			}
		}
	}
	if slices.Sort(old); len(old) > 0 {
		action.Action = ManagerReexec
		action.Reasons = append(action.Reasons, Reason{WhyMapped, counted(slices.Compact(old))})
	}
	for _, r := range m.table.tell {
		if found, ok := m.changed.matching(r.paths); ok && r.reexec && manager.User == "" {
			action.Action = ManagerReexec
			action.Reasons = append(action.Reasons, Reason{WhyFile, found})
		}
	}
}

// reload has a manager read its units again when it, or a generator, may find others.
// It takes seconds, and for another page of a web server it would find none.
func (m *maker) reload(manager *RunningManager, action *Manager) error {
	if m.swaps("/usr") {
		action.Reasons = append(action.Reasons, Reason{WhyTrees, "/usr"})
		if m.swaps("/etc") {
			action.Reasons = append(action.Reasons, Reason{WhyTrees, "/etc"})
		}
		return nil
	}
	if !m.swaps("/etc") {
		return nil
	}
	generators, err := m.generators(manager)
	if err != nil {
		return err
	}
	watches, err := m.watchesEtc(manager)
	if err != nil {
		return err
	}
	paths, known := m.table.reads(generators)
	found, ok := m.changed.matching(paths)
	switch {
	case !known || watches:
		action.Reasons = append(action.Reasons, Reason{WhyTrees, "/etc"})
	case ok:
		action.Reasons = append(action.Reasons, Reason{WhyFile, found})
	}
	return nil
}

// generators gives the names of the programs that make units for a manager
// (systemd.generator(7)), of both systems.
func (m *maker) generators(manager *RunningManager) (names []string, err error) {
	kinds := []string{"system-generators", "system-environment-generators"}
	if manager.User != "" {
		kinds = []string{"user-generators", "user-environment-generators"}
	}
	for _, s := range []*side{m.old, m.new} {
		for tree, dirs := range map[string][]string{usrTree: {"/lib/systemd/", "/local/lib/systemd/"}, etcTree: {"/systemd/"}} {
			files, err := s.files(tree)
			if err != nil {
				return nil, err
			}
			for _, dir := range dirs {
				for _, kind := range kinds {
					for e := range files.Below(dir + kind) {
						names = append(names, path.Base(e.Path))
					}
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// watchesEtc reports whether a path unit of a manager looks at something in /etc: what
// it watches is of the old tree, until its manager reads it again.
func (m *maker) watchesEtc(manager *RunningManager) (bool, error) {
	for _, u := range manager.Units {
		if unit.Type(u.Name) != "path" {
			continue
		}
		loader, err := m.loader(m.old, &m.oldFiles, loadPath(manager.User))
		if err != nil {
			return false, err
		}
		loaded, err := loader.Load(u.Name)
		if err != nil {
			return false, err
		}
		for _, key := range []string{"PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"} {
			if slices.ContainsFunc(loaded.Values("Path", key), func(at string) bool { return strings.HasPrefix(at, "/etc") }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// loadPath is where a manager looks for units.
func loadPath(user string) []string {
	if user != "" {
		return unit.UserPath()
	}
	return unit.SystemPath()
}
