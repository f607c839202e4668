package plan

import (
	"slices"
	"strings"

	"stet/internal/tree"
	"stet/internal/unit"
)

// treeNames are the trees of a system.
var treeNames = []string{etcTree, modulesTree, usrTree, varTree}

// maker makes one plan.
type maker struct {
	old, new *side
	store    Store
	facts    *Facts
	table    *table
	plan     *Plan

	undone  bool           // /etc has drift that goes
	changed changes        // paths that are others for who reads them
	owners  map[string]int // path to the index of its changed package

	oldFiles, newFiles *unitFiles
	older              map[string]tree.Files // usr trees of earlier systems
	oldMaps            map[[2]string]bool    // tree and path: whether it is another now
}

// Make gives the plan that turns a machine that runs old into one that runs new.
// Errors say what could not be read.
func Make(store Store, old, new System, facts *Facts) (*Plan, error) {
	if err := facts.check(); err != nil {
		return nil, err
	}
	known, err := parseTable(builtin)
	if err != nil {
		return nil, err
	}
	m := &maker{
		old: newSide(old, store), new: newSide(new, store), store: store, facts: facts, table: known,
		older: map[string]tree.Files{}, oldMaps: map[[2]string]bool{},
		plan: &Plan{
			Format: Format, Machine: new.Machine, Old: old.Digest, New: new.Digest,
			Debt: []Debt{}, Decisions: []Decision{}, Trees: []Tree{}, Packages: []Package{}, Files: []File{}, Users: []User{}, Groups: []Group{},
			Sysctl: []Variable{}, Mounts: []Mount{}, Managers: []Manager{}, Units: []Unit{}, Protect: []UnitName{}, Tasks: []Task{},
			Drift: []Drift{}, Migrations: []Migration{}, Scripts: []Script{},
		},
	}
	for _, step := range []func() error{
		m.compareTrees, m.compareDrift, m.compareKernel, m.listTrees, m.comparePackages, m.compareAccounts, m.compareSysctl,
		m.compareStates, m.compareManagers, m.restore, m.countObjects,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	m.countESP()
	m.finish()
	return m.plan, nil
}

// decide asks a person.
func (m *maker) decide(kind, what, why, remedy string) {
	m.plan.Decisions = append(m.plan.Decisions, Decision{kind, what, why, remedy})
}

// owe notes what goes on as before, once.
func (m *maker) owe(d Debt) {
	if !slices.Contains(m.plan.Debt, d) {
		m.plan.Debt = append(m.plan.Debt, d)
	}
}

// swaps reports whether the tree at a place is replaced while the machine runs.
// /etc is made anew also when only drift goes, /usr also for the modules in it.
func (m *maker) swaps(place string) bool {
	switch name := strings.TrimPrefix(place, "/"); name {
	case etcTree:
		return m.changes(name) || m.undone
	case usrTree:
		return m.changes(name) || m.changes(modulesTree) && m.keepsKernel()
	default:
		return m.changes(name)
	}
}

// changes reports whether the new system has another tree.
func (m *maker) changes(tree string) bool { return m.old.Trees[tree] != m.new.Trees[tree] }

// keepsKernel reports whether the kernel that runs is the new system's.
func (m *maker) keepsKernel() bool { return m.facts.Booted.Kernel == m.new.Kernel.Digest }

// compareKernel says what only a reboot changes.
func (m *maker) compareKernel() error {
	if booted := m.facts.Booted; !m.keepsKernel() {
		why := "the running one is " + booted.KernelVersion + ", the system's " + m.new.KernelVersion
		if booted.KernelVersion == m.new.KernelVersion {
			why = "the system has another build of " + m.new.KernelVersion
		}
		m.owe(Debt{What: "kernel", Until: UntilFullReboot, Why: why})
	}
	if booted := m.facts.Booted; booted.CommandLine != m.new.CommandLine {
		m.owe(Debt{What: "kernel command line", Until: UntilFullReboot, Why: "it is \"" + booted.CommandLine + "\", the system's is \"" + m.new.CommandLine + "\""})
	}
	return nil
}

// listTrees names the trees that are others. The modules of another kernel wait
// for it: those of the running one must stay loadable.
func (m *maker) listTrees() error {
	for _, name := range treeNames {
		live := name == varTree || m.swaps("/"+name)
		if name == modulesTree {
			live = m.keepsKernel()
		}
		if m.changes(name) || name == etcTree && m.undone {
			m.plan.Trees = append(m.plan.Trees, Tree{name, m.old.Trees[name], m.new.Trees[name], live})
		}
	}
	for _, name := range m.facts.Mounts {
		for _, place := range []string{"/usr", "/etc"} {
			if m.swaps(place) && strings.HasPrefix(name, place+"/") {
				m.decide(DecideMount, name, "is a mount of its own, which would be lost when "+place+" is replaced", "unmount it, or `stet boot` changes the system at the next start")
			}
		}
	}
	return nil
}

// listTasks gives the commands that the table has for changed files.
func (m *maker) listTasks() error {
	for _, r := range m.table.tell {
		if len(r.run) == 0 {
			continue
		}
		if _, ok := m.changed.matching(r.paths); !ok {
			continue
		}
		usr, err := m.new.files(usrTree)
		if err != nil {
			return err
		}
		if _, ok := usr.Lookup(strings.TrimPrefix(r.needs, "/usr")); ok {
			m.plan.Tasks = append(m.plan.Tasks, Task{r.run, r.why})
		}
	}
	return nil
}

// isOld reports whether a file that a process has mapped, from a usr tree, is
// another in the new system. Nobody knows what is of a tree that is not there
// any more: then it is.
func (m *maker) isOld(digest, name string) bool {
	if digest == m.new.Trees[usrTree] {
		return false
	}
	below, ok := strings.CutPrefix(mergedUsr(name), "/usr")
	if !ok {
		return false // state, which no system has
	}
	key := [2]string{digest, name}
	if known, ok := m.oldMaps[key]; ok {
		return known
	}
	m.oldMaps[key] = m.differs(digest, below)
	return m.oldMaps[key]
}

func (m *maker) differs(digest, name string) bool {
	from, ok := m.older[digest]
	if !ok {
		from, _ = m.olderTree(digest)
		m.older[digest] = from
	}
	to, err := m.new.files(usrTree)
	if from == nil || err != nil {
		return true
	}
	before, had := from.Lookup(name)
	after, has := to.Lookup(name)
	return !had || !has || !before.SameContent(after)
}

func (m *maker) olderTree(digest string) (tree.Files, error) {
	if digest == m.old.Trees[usrTree] {
		return m.old.files(usrTree)
	}
	if digest == "" {
		return nil, nil
	}
	return m.store.Files(digest)
}

// loader finds units of one side. What generators made of fstab is made anew of
// each side's; the rest of /run is the same for both, and so is persisted drift.
func (m *maker) loader(s *side, files **unitFiles, loadPath []string) (*unit.Loader, error) {
	if *files == nil {
		over, gone := map[string]unit.File{}, map[string]bool{}
		for name, f := range m.facts.Run {
			over[name] = unit.File{Link: f.Link}
			if f.Link == "" {
				over[name] = unit.Text(f.Text)
			}
		}
		for i := range m.facts.Drift {
			m.layDrift(&m.facts.Drift[i], s == m.old, over, gone)
		}
		table, err := s.read(etcTree, "/fstab")
		if err != nil {
			return nil, err
		}
		if f, ok := over["/etc/fstab"]; ok && f.Read != nil {
			if table, err = f.Read(); err != nil {
				return nil, err
			}
		}
		for name := range over {
			if strings.HasPrefix(name, "/run/systemd/generator/") && isOfFstab(name) {
				delete(over, name)
			}
		}
		for name, f := range unit.Fstab(table) {
			over[name] = f
		}
		if *files, err = newUnitFiles(s, over, gone); err != nil {
			return nil, err
		}
	}
	return unit.NewLoader(*files, loadPath), nil
}

func isOfFstab(name string) bool {
	return slices.Contains([]string{"mount", "automount", "swap"}, unit.Type(name))
}

// layDrift puts what a person changed over a side's unit files: over the old
// one's, and over the new one's what outlives the switch.
func (m *maker) layDrift(d *Drifted, old bool, over map[string]unit.File, gone map[string]bool) {
	switch {
	case !old && !m.outlives(d):
	case d.Change == Deleted:
		gone[d.Path] = true
	case d.Target != "":
		over[d.Path] = unit.File{Link: d.Target}
	case d.Text != nil:
		over[d.Path] = unit.Text(*d.Text)
	}
}

// finish says what kind of change it is, and puts lists in their order.
func (m *maker) finish() {
	p := m.plan
	slices.SortFunc(p.Debt, func(a, b Debt) int {
		return strings.Compare(a.User+"\x00"+a.What+"\x00"+a.Why, b.User+"\x00"+b.What+"\x00"+b.Why)
	})
	slices.SortFunc(p.Mounts, func(a, b Mount) int { return strings.Compare(a.Where+"\x00"+a.Unit, b.Where+"\x00"+b.Unit) })
	slices.SortFunc(p.Decisions, func(a, b Decision) int { return strings.Compare(a.Kind+"\x00"+a.What, b.Kind+"\x00"+b.What) })
	slices.SortFunc(p.Migrations, func(a, b Migration) int { return strings.Compare(a.Service+"\x00"+a.Old, b.Service+"\x00"+b.Old) })
	p.Kind = Nothing
	if p.Old != p.New || len(p.Trees) > 0 || slices.ContainsFunc(p.Units, func(u Unit) bool { return u.Action != Keep }) || len(p.Managers) > 0 || len(p.Tasks) > 0 {
		p.Kind = Live
	}
	for _, d := range p.Debt {
		switch {
		case d.Until == UntilFullReboot:
			p.Kind = FullReboot
		case d.Until == UntilSoftReboot && p.Kind != FullReboot:
			p.Kind = SoftReboot
		}
	}
}
