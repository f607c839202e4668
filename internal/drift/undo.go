package drift

import (
	"path"
	"slices"
	"strings"

	"stet/internal/plan"
)

// Undo says what puts the chosen findings back and leaves all others. Of those it
// returns what has to be undone by other means: that is their remedy.
//
// Accounts go together, since they are in the same files; so do a directory and
// what is in it, where only the directory's own attributes would stay.
func Undo(found []Finding, chosen func(Finding) bool, drifted []plan.Drifted) (restore *plan.Restore, left []Finding) {
	restore = &plan.Restore{}
	undone := map[string]bool{}
	for _, f := range found {
		if !chosen(f) {
			continue
		}
		switch {
		case f.Remedy != "":
			left = append(left, f)
		case f.Stops != "":
			restore.Stop = append(restore.Stop, f.Stops)
		case strings.HasPrefix(f.Path, runtimes[0]):
			if _, wanted := wanter(path.Dir(f.Path)); wanted {
				restore.Disable = append(restore.Disable, f.Name)
			} else {
				restore.Unmask = append(restore.Unmask, f.Name)
			}
		case f.Path != "":
			undone[f.Path] = true
			if f.Kind == User || f.Kind == Group {
				for _, name := range accountFiles {
					undone["/etc/"+name], undone["/etc/"+name+"-"] = true, true
				}
			}
		case f.Kind == Variable:
			restore.Variables = append(restore.Variables, f.Name)
		case f.Kind == Unit && f.Change == plan.Added:
			restore.Stop = append(restore.Stop, f.Name)
		case f.Kind == Unit:
			restore.Start = append(restore.Start, f.Name)
		}
	}
	slices.Sort(restore.Stop) // a unit and its port are told, and stopped once
	restore.Stop = slices.Compact(restore.Stop)
	// What is kept is kept with all below it: so no directory with something in it
	// that goes.
	holds := map[string]bool{}
	for name := range undone {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			holds[dir] = true
		}
	}
	for i := range drifted {
		if name := drifted[i].Path; !drifted[i].Persisted && !undone[name] && !holds[name] {
			restore.Keep = append(restore.Keep, name)
		}
	}
	slices.Sort(restore.Keep)
	return restore, left
}

// Named chooses the findings that have one of the names, or a path at or below
// one. What no finding has is returned by unknown.
func Named(names []string, found []Finding) (chosen func(Finding) bool, unknown []string) {
	matches := func(name string, f Finding) bool {
		return f.Name == name || f.Path == name || strings.HasPrefix(f.Path, strings.TrimSuffix(name, "/")+"/")
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(f Finding) bool { return matches(name, f) }) {
			unknown = append(unknown, name)
		}
	}
	return func(f Finding) bool {
		return slices.ContainsFunc(names, func(name string) bool { return matches(name, f) })
	}, unknown
}
