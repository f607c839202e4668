package systemd

import (
	"fmt"
	"strings"
)

// UnitOf gives the unit that a process is of, from the text of its cgroup file
// (cgroups(7)), and where that is the manager of a user, the unit of that. Names
// are empty where there is none.
//
// As systemd does it: slices are passed over, and what comes next is the unit.
// Below it the unit's own cgroups follow.
func UnitOf(cgroup string) (system, user string) {
	var names []string
	for line := range strings.Lines(cgroup) {
		if at, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::/"); ok {
			names = strings.Split(at, "/")
		}
	}
	system, names = firstUnit(names)
	if !strings.HasPrefix(system, "user@") || !strings.HasSuffix(system, ".service") {
		return system, ""
	}
	user, _ = firstUnit(names)
	return system, user
}

// firstUnit gives the unit below slices, or the innermost slice when there is
// none, and what is below.
func firstUnit(names []string) (unit string, below []string) {
	for i, name := range names {
		name = strings.TrimPrefix(name, "_") // as systemd escapes names that the kernel uses
		if !strings.Contains(name, ".") {
			return unit, nil
		}
		if unit = name; !strings.HasSuffix(name, ".slice") {
			return unit, names[i+1:]
		}
	}
	return unit, nil
}

// ManagerUnit is the unit of the system's manager that a user's manager is.
func ManagerUnit(u User) string { return fmt.Sprintf("user@%d.service", u.UID) }
