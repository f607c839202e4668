package plan

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// sysctlPath is where sysctl.d(5) looks, the strongest first: of files with one
// name only the first counts, and all that count are read by their names.
var sysctlPath = []struct{ tree, dir string }{{etcTree, "/sysctl.d"}, {usrTree, "/lib/sysctl.d"}}

// sysctlLast is a file beside them. systemd-sysctl(8) reads it only where a link
// in sysctl.d leads to it.
const sysctlLast = "/sysctl.conf"

// compareSysctl lists kernel variables that are set otherwise. One that nobody
// sets any more keeps its value until the kernel starts anew.
func (m *maker) compareSysctl() error {
	if _, ok := m.changed.matching([]string{"/etc/sysctl.d/**", "/usr/lib/sysctl.d/**", "/etc" + sysctlLast}); !ok {
		return nil
	}
	old, next, err := readBoth(m, (*side).sysctl)
	if err != nil {
		return err
	}
	for _, name := range differing(old, next, func(a, b string) bool { return a == b }) {
		m.plan.Sysctl = append(m.plan.Sysctl, Variable{name, old[name], next[name]})
		if _, set := next[name]; !set {
			m.owe(Debt{What: "sysctl " + name, Until: UntilFullReboot, Why: "nothing sets it any more; the kernel keeps " + old[name]})
		}
	}
	return nil
}

// sysctl reads what a system sets. Patterns count as names: they are compared,
// and not expanded.
func (s *side) sysctl() (map[string]string, error) {
	files := map[string]struct{ tree, name string }{}
	for _, place := range sysctlPath {
		t, err := s.files(place.tree)
		if err != nil {
			return nil, err
		}
		for e := range t.Below(place.dir) {
			base := path.Base(e.Path)
			if _, seen := files[base]; seen || !strings.HasSuffix(base, ".conf") {
				continue
			}
			at := struct{ tree, name string }{place.tree, e.Path}
			if path.Base(e.Target) == path.Base(sysctlLast) {
				at.tree, at.name = etcTree, sysctlLast
			}
			files[base] = at // a link to /dev/null is read as nothing
		}
	}
	all := map[string]string{}
	for _, base := range slices.Sorted(maps.Keys(files)) {
		text, err := s.read(files[base].tree, files[base].name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			key, value, ok := strings.Cut(line, "=")
			if line == "" || line[0] == '#' || line[0] == ';' || !ok {
				continue
			}
			name := strings.TrimPrefix(strings.TrimSpace(key), "-")
			// Whichever separator comes first is the separator (sysctl.d(5)).
			if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' {
				name = strings.NewReplacer("/", ".", ".", "/").Replace(name)
			}
			all[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	return all, nil
}
