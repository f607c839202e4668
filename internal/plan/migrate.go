package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/residue"
)

// compareStates says which data an older version of a service wrote, as the
// residue table knows services.
func (m *maker) compareStates() error {
	if m.old.Trees[usrTree] == m.new.Trees[usrTree] || len(m.plan.Packages) == 0 {
		return nil
	}
	known, _, err := residue.Builtin()
	if err != nil {
		return err
	}
	for i := range known.Rules {
		if r := &known.Rules[i]; r.Class == residue.Service && r.Service.Migrate != "" {
			if err := m.migration(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) migration(r *residue.Rule) error {
	if r.Service.Each == "" {
		return m.migrateVersion(r)
	}
	old, err := m.old.instances(r)
	if err != nil {
		return err
	}
	next, err := m.new.instances(r)
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return nil // the service is dropped; its data stays, as state that has lost its owner
	}
	for _, from := range old {
		stays := slices.ContainsFunc(next, func(to residue.Instance) bool { return to.Name == from.Name })
		if stays || !slices.Contains(m.facts.States, from.Name) {
			continue
		}
		to := "" // the newest
		for _, n := range next {
			if version := instanceOf(r, n); to == "" || debian.CompareVersions(version, to) > 0 {
				to = version
			}
		}
		m.migrate(Migration{Service: r.Service.Name, Old: instanceOf(r, from), New: to, How: from.Service.Migrate, Needs: from.Service.Needs})
	}
	return nil
}

// migrateVersion is for services that have one state, whatever the version.
func (m *maker) migrateVersion(r *residue.Rule) error {
	i := slices.IndexFunc(m.plan.Packages, func(p Package) bool { return p.Name == r.Package })
	if i < 0 || !slices.Contains(m.facts.States, r.Service.Name) {
		return nil
	}
	p := m.plan.Packages[i]
	if p.Old == "" || p.New == "" || upstream(p.Old) == upstream(p.New) {
		return nil
	}
	m.plan.Migrations = append(m.plan.Migrations, Migration{
		Service: r.Service.Name, Old: p.Old, New: p.New, How: r.Service.Migrate, Needs: r.Service.Needs, Available: true,
	})
	return nil
}

// migrate notes a migration of one instance to another, and asks when nothing in
// the new system could read the data.
func (m *maker) migrate(g Migration) {
	g.Available = m.has(g.Needs)
	m.plan.Migrations = append(m.plan.Migrations, g)
	if !g.Available {
		m.decide(DecideMigration, g.Service+" "+g.Old, fmt.Sprintf("its data is on the machine, and the new system has no %s to read it", g.Needs),
			fmt.Sprintf("keep the package %s until the data is taken over (%s), or remove the data", g.Needs, g.How))
	}
}

// has reports whether the new system has a package.
func (m *maker) has(name string) bool {
	gone := slices.ContainsFunc(m.plan.Packages, func(p Package) bool { return p.Name == name && p.New == "" })
	return !gone
}

// instances gives the states of a service that a system can run.
func (s *side) instances(r *residue.Rule) ([]residue.Instance, error) {
	t, err := s.files(usrTree)
	if err != nil {
		return nil, err
	}
	fixed, _, _ := strings.Cut(r.Service.Each, "*")
	var names []string
	for e := range t.Below(path.Clean(strings.TrimPrefix(fixed, "/usr"))) {
		names = append(names, "/usr"+e.Path)
	}
	return r.Instances(names), nil
}

func instanceOf(r *residue.Rule, i residue.Instance) string {
	return strings.TrimPrefix(i.Name, r.Service.Name+"-")
}

// upstream is a version without epoch and Debian's revision.
func upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		version = version[:i]
	}
	return version
}
