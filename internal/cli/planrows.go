package cli

import (
	"fmt"
	"strings"

	"stet/internal/plan"
	"stet/internal/term"
)

func unitRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, m := range all.Managers {
		rows = append(rows, []string{map[plan.ManagerAction]string{plan.ManagerReload: "daemon-reload", plan.ManagerReexec: "daemon-reexec"}[m.Action], owned("systemd", m.User), reasonsText(m.Reasons)})
	}
	for _, u := range all.Units {
		rows = append(rows, []string{string(u.Action), owned(u.Name, u.User), reasonsText(u.Reasons)})
	}
	for _, u := range all.Protect {
		rows = append(rows, []string{"protect", owned(u.Name, u.User), "/etc is read-only for it, and stays so"})
	}
	return rows
}

// owned names a unit, and whose it is when it is a user's.
func owned(name, user string) string {
	if user == "" {
		return name
	}
	return name + " of " + user
}

func reasonsText(reasons []plan.Reason) string {
	var keys, all []string
	for _, r := range reasons {
		if r.Why == plan.WhyText {
			keys = append(keys, r.What)
		}
	}
	if len(keys) > 0 {
		all = append(all, "changed "+strings.Join(keys, ", "))
	}
	for _, r := range reasons {
		if r.Why != plan.WhyText && r.Why != plan.WhyKept { // why it is kept stands with when that ends
			all = append(all, fmt.Sprintf(reasonTexts[r.Why], r.What))
		}
	}
	return strings.Join(all, "; ")
}

// reasonTexts are the reasons in words.
var reasonTexts = map[plan.Why]string{
	plan.WhyFile:      "reads %s, which changed",
	plan.WhyMapped:    "runs %s, which changed",
	plan.WhyPackage:   "is of %s",
	plan.WhyNamespace: "would go on seeing the old %s",
	plan.WhyWith:      "goes with %s",
	plan.WhySocket:    "cannot run while %s opens",
	plan.WhyRemoved:   "is no more%s",
	plan.WhyMasked:    "is masked%s",
	plan.WhyUnwanted:  "nothing wants it any more%s",
	plan.WhyWanted:    "%s wants it",
	plan.WhyConflicts: "cannot run beside %s",
	plan.WhyTold:      "reads %s",
	plan.WhyTrees:     "%s is replaced",
	plan.WhyDrift:     "%s",
}

func debtRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, d := range all.Debt {
		rows = append(rows, debtRow(d))
	}
	return rows
}

// debtRow says when, what, and why.
func debtRow(d plan.Debt) []string {
	until := string(d.Until)
	if d.Until == plan.UntilRestart {
		until = "its own restart"
	}
	return []string{until, owned(d.What, d.User), d.Why}
}

func packageRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, p := range all.Packages {
		rows = append(rows, []string{change(p.Old != "", p.New != ""), p.Name, fromTo(p.Old, p.New)})
	}
	return rows
}

// change is the sign of what comes, goes or is another.
func change(old, next bool) string {
	switch {
	case !old:
		return "+"
	case !next:
		return "-"
	}
	return "~"
}

func fromTo(old, next string) string {
	if old == "" || next == "" {
		return old + next
	}
	return old + " → " + next
}

// fileNote says what of a file is another beside its text.
func fileNote(f plan.File) string {
	var notes []string
	old, next := f.Old, f.New
	if old != nil && next != nil {
		for _, field := range []struct{ name, old, next string }{
			{"", old.Type, next.Type}, {"mode", old.Mode, next.Mode},
			{"owner", fmt.Sprintf("%d:%d", old.UID, old.GID), fmt.Sprintf("%d:%d", next.UID, next.GID)},
		} {
			if field.old != field.next {
				notes = append(notes, strings.TrimSpace(field.name+" "+field.old+" → "+field.next))
			}
		}
	}
	switch {
	case next != nil && next.Target != "":
		notes = append(notes, "→ "+next.Target)
	case f.Hidden == plan.HiddenSecret:
		notes = append(notes, "others may not read it, so it is not shown")
	case f.Hidden != "":
		notes = append(notes, fmt.Sprintf("%s, %s", f.Hidden, fromTo(size(old), size(next))))
	}
	return strings.Join(notes, ", ")
}

func size(s *plan.Stat) string {
	if s == nil {
		return ""
	}
	return term.Bytes(s.Size)
}

func accountRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, u := range all.Users {
		row := []string{change(u.Old != nil, u.New != nil), "user " + u.Name, ""}
		if u.Old != nil && u.New != nil {
			row[2] = differences([]string{"uid", "gid", "comment", "home", "shell"}, accountFields(u.Old), accountFields(u.New))
		}
		rows = append(rows, row)
	}
	for _, g := range all.Groups {
		row := []string{change(g.Old != nil, g.New != nil), "group " + g.Name, ""}
		if g.Old != nil && g.New != nil {
			row[2] = differences([]string{"gid", "members"}, []string{g.Old.GID, strings.Join(g.Old.Members, ",")}, []string{g.New.GID, strings.Join(g.New.Members, ",")})
		}
		rows = append(rows, row)
	}
	return rows
}

func accountFields(a *plan.Account) []string {
	return []string{a.UID, a.GID, a.Comment, a.Home, a.Shell}
}

// differences names the fields that differ, with both values.
func differences(names, old, next []string) string {
	var out []string
	for i, name := range names {
		if old[i] != next[i] {
			out = append(out, fmt.Sprintf("%s %s → %s", name, none(old[i]), none(next[i])))
		}
	}
	return strings.Join(out, ", ")
}

// none stands for an empty value.
func none(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

func sysctlRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, v := range all.Sysctl {
		rows = append(rows, []string{change(v.Old != "", v.New != ""), v.Name, fromTo(v.Old, v.New)})
	}
	return rows
}

func mountRows(all *plan.Plan) [][]string {
	source := func(m *plan.MountSource) string {
		if m == nil {
			return ""
		}
		return strings.Join(strings.Fields(m.What+" "+m.Type+" "+m.Options), " ")
	}
	var rows [][]string
	for _, m := range all.Mounts {
		rows = append(rows, []string{string(m.Action), m.Where, fromTo(source(m.Old), source(m.New))})
	}
	return rows
}

func migrationRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, m := range all.Migrations {
		rows = append(rows, []string{m.Service, fromTo(m.Old, m.New), m.How})
	}
	return rows
}

func scriptRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, s := range all.Scripts {
		rows = append(rows, []string{s.Package, fromTo(s.Old, s.New), s.Script + ": for who comes from before " + strings.Join(s.Before, ", ")})
	}
	return rows
}

func taskRows(all *plan.Plan) [][]string {
	var rows [][]string
	for _, t := range all.Tasks {
		rows = append(rows, []string{strings.Join(t.Run, " "), t.Why})
	}
	return rows
}
