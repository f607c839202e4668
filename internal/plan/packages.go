package plan

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"stet/internal/debian"
)

// packageKey is what tells a package from others in one system.
type packageKey struct{ name, architecture string }

// installedPackage is what dpkg's database says of a package.
type installedPackage struct {
	version   string
	multiArch bool // its files in the database are named with the architecture
}

// info is the path in the usr tree of one of the package's files in the database.
func (k packageKey) info(p installedPackage, what string) string {
	if p.multiArch {
		return databasePlace + "/info/" + k.name + ":" + k.architecture + "." + what
	}
	return databasePlace + "/info/" + k.name + "." + what
}

// installed reads dpkg's database of one side.
func (s *side) installed() (map[packageKey]installedPackage, error) {
	text, err := s.read(usrTree, databasePlace+"/status")
	if err != nil {
		return nil, err
	}
	all := map[packageKey]installedPackage{}
	for scanner := debian.NewScanner(strings.NewReader(text)); ; {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("dpkg's database of system %.12s: %w", s.Digest, err)
		}
		key := packageKey{stanza.Get("Package"), stanza.Get("Architecture")}
		all[key] = installedPackage{stanza.Get("Version"), stanza.Get("Multi-Arch") == "same"}
	}
}

// comparePackages lists what comes, goes and has another version.
func (m *maker) comparePackages() error {
	if m.old.Trees[usrTree] == m.new.Trees[usrTree] {
		return nil
	}
	old, err := m.old.installed()
	if err != nil {
		return err
	}
	next, err := m.new.installed()
	if err != nil {
		return err
	}
	union := maps.Clone(old)
	maps.Copy(union, next)
	for _, key := range slices.SortedFunc(maps.Keys(union), compareKeys) {
		before, after := old[key], next[key]
		if before.version == after.version {
			continue
		}
		m.plan.Packages = append(m.plan.Packages, Package{key.name, key.architecture, before.version, after.version})
		if before.version == "" || after.version == "" {
			continue
		}
		if err := m.scripts(key, before, after); err != nil {
			return err
		}
	}
	return nil
}

func compareKeys(a, b packageKey) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(a.architecture, b.architecture)
}

// step finds, in a maintainer script, what is done only for those who come from
// before a version (deb-postinst(5): the old version is the second argument).
var step = regexp.MustCompile(`dpkg\s+--compare-versions\s+(?:--\s+)?"?\$\{?2[^\s"}]*\}?"?\s+"?(?:lt|le|lt-nl|le-nl|<<|<=)"?\s+"?([0-9][^\s"';]*)"?`)

// scripts looks for steps of an upgrade that nobody runs: Stet installs every
// system anew.
func (m *maker) scripts(key packageKey, old, next installedPackage) error {
	for _, script := range []string{"preinst", "postinst"} {
		text, err := m.new.read(usrTree, key.info(next, script))
		if err != nil {
			return err
		}
		var before []string
		for _, found := range step.FindAllStringSubmatch(text, -1) {
			if v := found[1]; debian.CompareVersions(old.version, v) < 0 && debian.CompareVersions(v, next.version) <= 0 && !slices.Contains(before, v) {
				before = append(before, v)
			}
		}
		if len(before) > 0 {
			slices.SortFunc(before, debian.CompareVersions)
			m.plan.Scripts = append(m.plan.Scripts, Script{key.name, old.version, next.version, script, before})
		}
	}
	return nil
}

// changedPackage gives the package that a program is of, if that changed in more
// than documentation and translations. It is for programs that an interpreter
// runs, whose parts no process has mapped.
func (m *maker) changedPackage(program string) (Package, bool, error) {
	if err := m.readOwners(); err != nil {
		return Package{}, false, err
	}
	i, ok := m.owners[program]
	if !ok {
		return Package{}, false, nil
	}
	return m.plan.Packages[i], true, nil
}

// idle are places of files that no program reads to do its work.
var idle = []string{"/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/lintian/", "/usr/share/bug/", "/usr/lib/stet/"}

// readOwners reads which programs are of packages that changed in more than
// words about them.
func (m *maker) readOwners() error {
	if m.owners != nil {
		return nil
	}
	m.owners = map[string]int{}
	if len(m.plan.Packages) == 0 {
		return nil
	}
	installed, err := m.new.installed()
	if err != nil {
		return err
	}
	for i, p := range m.plan.Packages {
		if p.Old == "" || p.New == "" {
			continue
		}
		key := packageKey{p.Name, p.Architecture}
		text, err := m.new.read(usrTree, key.info(installed[key], "list"))
		if err != nil {
			return err
		}
		var names []string
		works := false
		for line := range strings.Lines(text) {
			name := mergedUsr(strings.TrimSuffix(line, "\n"))
			names = append(names, name)
			if _, changed := slices.BinarySearch(m.changed.paths, name); changed &&
				!slices.ContainsFunc(idle, func(dir string) bool { return strings.HasPrefix(name, dir) }) {
				works = true
			}
		}
		if works {
			for _, name := range names {
				m.owners[name] = i
			}
		}
	}
	return nil
}

// mergedUsr is where a path of a package is since /bin and the like are links.
func mergedUsr(name string) string {
	for _, top := range []string{"/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/"} {
		if strings.HasPrefix(name, top) {
			return "/usr" + name
		}
	}
	return name
}
