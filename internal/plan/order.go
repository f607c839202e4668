package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"stet/internal/unit"
)

// order gives the units that something is done to, so that what others need
// comes first. Of units in a circle the first by name comes first: systemd, too,
// breaks it somewhere.
func (s *scope) order() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.judged)) {
		if s.judged[name].action != "" {
			names = append(names, name)
		}
	}
	before := map[string]map[string]bool{}
	for _, name := range names {
		before[name] = map[string]bool{}
	}
	for _, name := range names {
		j := s.judged[name]
		e, loader := j.new, s.new
		if e.Missing() || e.Masked {
			e, loader = j.old, s.old
		}
		for _, other := range names {
			if other == name {
				continue
			}
			if s.relates(loader, e, []string{"After"}, other) || s.isAfter(j, e, loader, s.judged[other]) {
				before[name][other] = true
			}
			if s.relates(loader, e, []string{"Before"}, other) || slices.Contains(s.started(j), other) {
				before[other][name] = true
			}
		}
	}
	var out []string
	for len(names) > 0 {
		i := max(0, slices.IndexFunc(names, func(name string) bool { return len(before[name]) == 0 }))
		next := names[i]
		out, names = append(out, next), slices.Delete(names, i, i+1)
		for _, others := range before {
			delete(others, next)
		}
	}
	return out
}

// isAfter knows the orders that systemd adds by itself: a target comes after what
// it wants, and what needs a mount after the mount.
func (s *scope) isAfter(j *judged, e *unit.Effective, loader *unit.Loader, other *judged) bool {
	if unit.Type(j.Name) == "target" && e.Bool("Unit", "DefaultDependencies", true) && s.relates(loader, e, pulls, other.Name) {
		return true
	}
	if unit.Type(other.Name) != "mount" {
		return false
	}
	where := cmp.Or(strings.Join(other.new.Values("Mount", "Where"), ""), strings.Join(other.old.Values("Mount", "Where"), ""))
	for _, key := range []string{"RequiresMountsFor", "WantsMountsFor"} {
		for _, name := range e.List("Unit", key) {
			if where != "" && (name == where || strings.HasPrefix(name, strings.TrimSuffix(where, "/")+"/")) {
				return true
			}
		}
	}
	return false
}
