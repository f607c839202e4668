package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stet/internal/plan"
)

// accountFiles are told as users and groups.
var accountFiles = []string{"passwd", "group", "shadow", "gshadow", "subuid", "subgid"}

// users tells accounts, and passwords that are no longer what is declared.
func (f *finder) users() {
	now, groups := plan.ParseUsers(f.seen.Passwd), plan.ParseGroups(f.seen.Group)
	each(f.declared.Users, now, func(name string, was, is *plan.Account) {
		switch {
		case was == nil:
			f.note(Finding{Kind: User, Name: name, Change: plan.Added, Path: "/etc/passwd", Since: f.seen.Changed["/etc/passwd"], What: newAccount(name, is, groups), Undone: "removes the account; its files stay", Until: nextStart})
		case is == nil:
			f.note(Finding{Kind: User, Name: name, Change: plan.Deleted, Path: "/etc/passwd", Since: f.seen.Changed["/etc/passwd"], Undone: "puts the account back", Until: nextStart})
		case *was != *is:
			f.note(Finding{Kind: User, Name: name, Change: plan.Modified, Path: "/etc/passwd", Since: f.seen.Changed["/etc/passwd"], What: fields(was, is), Undone: "puts back what is declared", Until: nextStart})
		}
	})
	for _, name := range f.seen.Passwords {
		f.note(Finding{Kind: User, Name: name, Change: plan.Modified, Path: "/etc/shadow", Since: f.seen.Changed["/etc/shadow"], What: "another password", Undone: "puts back the declared password", Until: nextStart})
	}
}

// newAccount says what one may that nobody declared: who it is, and in which groups.
func newAccount(name string, is *plan.Account, groups map[string]plan.Membership) string {
	words := "uid " + is.UID + ", home " + is.Home
	var in []string
	for group, of := range groups {
		if slices.Contains(of.Members, name) || of.GID == is.GID && group != name {
			in = append(in, group)
		}
	}
	if len(in) > 0 {
		slices.Sort(in)
		words += ", in " + strings.Join(in, ", ")
	}
	return words
}

// fields says in which fields two accounts differ.
func fields(was, is *plan.Account) string {
	var words []string
	for _, of := range []struct{ name, was, is string }{
		{"uid", was.UID, is.UID}, {"gid", was.GID, is.GID}, {"comment", was.Comment, is.Comment}, {"home", was.Home, is.Home}, {"shell", was.Shell, is.Shell},
	} {
		if of.was != of.is {
			words = append(words, fmt.Sprintf("%s %s, declared %s", of.name, orNone(of.is), orNone(of.was)))
		}
	}
	return strings.Join(words, "; ")
}

func orNone(text string) string { return cmp.Or(text, "none") }

// groups tells groups and their members.
func (f *finder) groups() {
	each(f.declared.Groups, plan.ParseGroups(f.seen.Group), func(name string, was, is *plan.Membership) {
		n := Finding{Kind: Group, Name: name, Path: "/etc/group", Since: f.seen.Changed["/etc/group"], Undone: "puts back what is declared", Until: nextStart}
		switch {
		case was == nil:
			n.Change, n.What, n.Undone, n.Idle = plan.Added, "gid "+is.GID, "removes it", len(is.Members) == 0
			if !n.Idle {
				n.What += ", has " + strings.Join(is.Members, ", ")
			}
		case is == nil:
			n.Change = plan.Deleted
		case was.GID != is.GID:
			n.Change, n.What = plan.Modified, "gid "+is.GID+", declared "+was.GID
		case !slices.Equal(was.Members, is.Members):
			n.Change = plan.Modified
			var words []string
			if more := without(is.Members, was.Members); more != "" {
				words = append(words, "has "+more+", too")
			}
			if less := without(was.Members, is.Members); less != "" {
				words = append(words, "lacks "+less)
			}
			n.What = strings.Join(words, "; ")
		default:
			return
		}
		f.note(n)
	})
}

// without lists what is in all and not in some.
func without(all, some []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(some, name) }), ", ")
}
