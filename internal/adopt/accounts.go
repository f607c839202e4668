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
	case declared && there && owner == Nobody && was.UID == is.UID && a.known(f.Name):
		if was.Comment != is.Comment {
			a.change(edit.Set(append(option, "description"), edit.String(is.Comment)))
		}
	case declared && owner == Nobody:
		a.leave(f, "no option declares this user: it is of a package", "`stet undo "+f.Name+"` puts back what is declared")
	case declared && owner == Module:
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

// known declares root, or an account of a package, as it is now, so that an option can
// have more of it: what is not said of an account, the schema says. People that a
// package made have no such option.
func (a *adopter) known(name string) bool {
	option := []string{"users", name}
	was, is := a.Was.Users[name], a.Is.Users[name]
	if name == "root" {
		if m := a.fields(name, is, &was); len(m) > 0 {
			a.change(edit.Set(option, m))
		}
		return true
	}
	if !isService(is) || is.Home == "/" { // no option has such a home
		return false
	}
	m := edit.Map{{Key: "system", Value: edit.Bool(true)}}
	for _, of := range []struct{ key, is, otherwise string }{
		{"group", a.groupName(is.GID), name}, {"home", is.Home, noHome}, {"shell", is.Shell, noShell},
	} {
		if of.is != of.otherwise {
			m = append(m, edit.Entry{Key: of.key, Value: edit.String(of.is)})
		}
	}
	a.change(edit.Set(option, m))
	return true
}

// What the schema says of an account of a service.
const (
	noHome  = "/nonexistent"
	noShell = "/usr/sbin/nologin"
)

// isService reports whether an account is a service's, by its number (Debian Policy,
// 9.2.2).
func isService(u plan.Account) bool {
	uid, ok := number(u.UID).(edit.Int)
	return ok && uid < 1000
}

// fields are the options of an account that differ from what was declared, or
// from what an account has by itself.
func (a *adopter) fields(name string, is plan.Account, was *plan.Account) edit.Map {
	m := edit.Map{}
	otherwise := plan.Account{Home: "/home/" + name, Shell: "/bin/bash"}
	if was != nil {
		otherwise = *was
	} else if isService(is) {
		m = append(m, edit.Entry{Key: "system", Value: edit.Bool(true)})
		otherwise.Home, otherwise.Shell = noHome, noShell
	}
	if is.UID != otherwise.UID {
		m = append(m, edit.Entry{Key: "uid", Value: number(is.UID)})
	}
	if is.GID != otherwise.GID {
		// The group of the user's own name is there by itself.
		if group := a.groupName(is.GID); group != name {
			m = append(m, edit.Entry{Key: "group", Value: edit.String(group)})
		}
	}
	for _, of := range []struct{ key, is, otherwise string }{
		{"description", is.Comment, otherwise.Comment}, {"home", is.Home, otherwise.Home}, {"shell", is.Shell, otherwise.Shell},
	} {
		if of.is != of.otherwise {
			m = append(m, edit.Entry{Key: of.key, Value: edit.String(of.is)})
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
		a.members(f, nil, is.Members)
	case !there && owner == Person:
		a.change(edit.Remove(option))
	case !there && a.Owner("users", f.Name) == Person && a.Is.Users[f.Name] == plan.Account{}:
		// It went with the user.
	case !there, was.GID != is.GID && owner != Person:
		a.leave(f, "no option declares this group", "`stet undo "+f.Name+"` puts back what is declared")
	default:
		if was.GID != is.GID {
			a.change(edit.Set(append(option, "gid"), number(is.GID)))
		}
		a.members(f, was.Members, is.Members)
	}
}

// members adopts who came into a group and who left it: that is an option of users.
func (a *adopter) members(f drift.Finding, was, is []string) {
	for _, name := range slices.Concat(was, is) {
		option := []string{"users", name, "groups"}
		had, has := slices.Contains(was, name), slices.Contains(is, name)
		_, declared := a.Was.Users[name]
		_, there := a.Is.Users[name]
		switch owner := a.Owner("users", name); {
		case had && has, !declared || !there: // who comes or goes brings it along
		case has && (owner == Person || owner == Nobody && a.known(name)):
			a.change(edit.Add(option, f.Name))
		case owner == Person:
			a.change(edit.Drop(option, f.Name))
		default:
			a.leave(f, name+" is no user that the configuration declares", "`stet undo "+f.Name+"` puts back what is declared")
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
