package adopt

import (
	"slices"
	"strconv"

	"stet/internal/drift"
	"stet/internal/edit"
	"stet/internal/plan"
)

// user adopts an account, or the fields of one that are others now.
func (a *adopter) user(f drift.Finding) {
	option := []string{"users", f.Name}
	was, declared := a.Was.Users[f.Name]
	is, there := a.Is.Users[f.Name]
	owner := a.Owner(option...)
	switch {
	case f.Path == "/etc/shadow":
		a.leave(f, "a password is in no configuration", "a user without a declared password has one of their own")
	case !there && owner == Person:
		a.change(edit.Remove(option))
	case declared && owner != Person:
		a.leave(f, "no option declares this user: it is of a package", "`stet undo "+f.Name+"` puts back what is declared")
	case !there:
		a.leave(f, "a module declares it", "`stet why "+f.Name+"` says which")
	case declared:
		a.change(edit.Set(option, a.fields(f.Name, is, &was)))
	default:
		a.change(edit.Set(option, a.fields(f.Name, is, nil)))
		for _, group := range a.groupsOf(f.Name) {
			a.change(edit.Add(append(option, "groups"), group))
		}
	}
}

// fields are the options of an account that differ from what was declared, or
// from what an account has by itself.
func (a *adopter) fields(name string, is plan.Account, was *plan.Account) edit.Map {
	m := edit.Map{}
	differs := func(now, before, otherwise string) bool {
		if was != nil {
			return now != before
		}
		return now != otherwise
	}
	before := plan.Account{}
	if was != nil {
		before = *was
	}
	if differs(is.UID, before.UID, "") {
		m = append(m, edit.Entry{Key: "uid", Value: number(is.UID)})
	}
	if differs(is.GID, before.GID, "") {
		// The group of the user's own name is there by itself.
		if group := a.groupName(is.GID); group != name {
			m = append(m, edit.Entry{Key: "group", Value: edit.String(group)})
		}
	}
	for _, of := range []struct{ key, now, before, otherwise string }{
		{"description", is.Comment, before.Comment, ""}, {"home", is.Home, before.Home, "/home/" + name}, {"shell", is.Shell, before.Shell, "/bin/bash"},
	} {
		if differs(of.now, of.before, of.otherwise) {
			m = append(m, edit.Entry{Key: of.key, Value: edit.String(of.now)})
		}
	}
	return m
}

// groupName gives the name of a group; its number when there is none.
func (a *adopter) groupName(gid string) string {
	for name, g := range a.Is.Groups {
		if g.GID == gid {
			return name
		}
	}
	return gid
}

// groupsOf are the groups that have a member, sorted.
func (a *adopter) groupsOf(user string) (names []string) {
	for name, g := range a.Is.Groups {
		if slices.Contains(g.Members, user) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// group adopts a group, or its members: they are options of users.
func (a *adopter) group(f drift.Finding) {
	option := []string{"groups", f.Name}
	was, declared := a.Was.Groups[f.Name]
	is, there := a.Is.Groups[f.Name]
	switch owner := a.Owner(option...); {
	case !declared:
		if u, ok := a.Is.Users[f.Name]; ok && u.GID == is.GID {
			return // it comes with the user
		}
		a.change(edit.Set(option, edit.Map{{Key: "gid", Value: number(is.GID)}}))
	case !there && owner == Person:
		a.change(edit.Remove(option))
	case !there, was.GID != is.GID && owner != Person:
		if _, ok := a.Was.Users[f.Name]; ok && !there {
			if _, ok := a.Is.Users[f.Name]; !ok {
				return // it went with the user
			}
		}
		a.leave(f, "no option declares this group", "`stet undo "+f.Name+"` puts back what is declared")
	default:
		if was.GID != is.GID {
			a.change(edit.Set(append(option, "gid"), number(is.GID)))
		}
		a.members(f, was.Members, is.Members)
	}
}

func (a *adopter) members(f drift.Finding, was, is []string) {
	for _, name := range slices.Concat(was, is) {
		option := []string{"users", name, "groups"}
		had, has := slices.Contains(was, name), slices.Contains(is, name)
		_, declared := a.Was.Users[name]
		_, there := a.Is.Users[name]
		switch {
		case had && has, !declared || !there: // who comes or goes brings it along
		case a.Owner("users", name) != Person:
			a.leave(f, name+" is no user that the configuration declares", "`stet undo "+f.Name+"` puts back what is declared")
		case has:
			a.change(edit.Add(option, f.Name))
		default:
			a.change(edit.Drop(option, f.Name))
		}
	}
}

// number is a whole number where the text is one, as a person would write it.
func number(text string) edit.Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return edit.Int(n)
	}
	return edit.String(text)
}
