package plan

import (
	"slices"
	"strings"

	"stet/internal/unit"
)

// Restore is what an undo makes as declared again. Of /etc that is all that
// drifted, but for what is kept.
type Restore struct {
	Keep      []string `json:"keep,omitempty"`      // paths of /etc that stay as somebody made them, with all below
	Variables []string `json:"variables,omitempty"` // kernel variables, by the names of sysctl.d(5)
	Start     []string `json:"start,omitempty"`     // units that failed
	Stop      []string `json:"stop,omitempty"`      // units that nobody declared
	Unmask    []string `json:"unmask,omitempty"`    // units that are masked for this run of the machine
	Disable   []string `json:"disable,omitempty"`   // units that are enabled for this run of the machine
}

// outlives reports whether what somebody changed is there after the switch, too.
func (m *maker) outlives(d *Drifted) bool {
	if d.Persisted || m.facts.Restore == nil {
		return d.Persisted
	}
	return slices.ContainsFunc(m.facts.Restore.Keep, func(kept string) bool {
		return d.Path == kept || strings.HasPrefix(d.Path, kept+"/")
	})
}

// restore does what a switch to the system that runs has no reason for.
func (m *maker) restore() error {
	r := m.facts.Restore
	if r == nil {
		return nil
	}
	m.plan.Keep = r.Keep
	for _, name := range r.Variables {
		m.plan.Tasks = append(m.plan.Tasks, Task{[]string{"/usr/lib/systemd/systemd-sysctl", "--prefix=" + variablePath(name)}, name + " is another than declared"})
	}
	for _, of := range []struct {
		names     []string
		verb, why string
	}{{r.Unmask, "unmask", "masked"}, {r.Disable, "disable", "enabled"}} {
		for _, name := range of.names {
			m.plan.Tasks = append(m.plan.Tasks, Task{[]string{"systemctl", of.verb, "--runtime", "--", name}, name + " is " + of.why + " for this run, and is not declared so"})
		}
	}
	for _, name := range r.Stop {
		if slices.ContainsFunc(m.facts.Managers[0].Units, func(u RunningUnit) bool { return u.Name == name && u.Active == "failed" }) {
			m.plan.Tasks = append(m.plan.Tasks, Task{[]string{"systemctl", "reset-failed", "--", name}, name + " has failed, and is declared nowhere"})
		} else {
			m.also(Stop, name, isThere(name))
		}
	}
	for _, name := range r.Start {
		m.also(Start, name, "has failed")
	}
	return nil
}

// isThere says what an undeclared unit is: one of a mount runs nothing.
func isThere(name string) string {
	if unit.Type(name) == "mount" {
		return "is mounted, and is declared nowhere"
	}
	return "runs, and is declared nowhere"
}

// also has something done to a unit to which the plan does nothing.
func (m *maker) also(action Action, name, why string) {
	if !slices.ContainsFunc(m.plan.Units, func(u Unit) bool { return u.Name == name && u.User == "" }) {
		m.plan.Units = append(m.plan.Units, Unit{UnitName{Name: name}, action, []Reason{{WhyDrift, why}}})
	}
}

// variablePath is the path of a kernel variable below /proc/sys: a dot between
// the parts of its name is a slash, and a slash in one is a dot.
func variablePath(name string) string {
	return "/" + strings.NewReplacer(".", "/", "/", ".").Replace(name)
}
