package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// compareAccounts lists users and groups that come, go or are others.
func (m *maker) compareAccounts() error {
	if m.old.Trees[etcTree] == m.new.Trees[etcTree] && m.old.Trees[usrTree] == m.new.Trees[usrTree] {
		return nil
	}
	old, next, err := readBoth(m, func(s *side) (map[string]Account, error) {
		text, err := s.read(etcTree, "/passwd")
		return ParseUsers(text), err
	})
	if err != nil {
		return err
	}
	for _, name := range differing(old, next, func(a, b Account) bool { return a == b }) {
		m.plan.Users = append(m.plan.Users, User{name, pointer(old, name), pointer(next, name)})
	}
	oldGroups, nextGroups, err := readBoth(m, func(s *side) (map[string]Membership, error) {
		text, err := s.read(etcTree, "/group")
		return ParseGroups(text), err
	})
	if err != nil {
		return err
	}
	same := func(a, b Membership) bool { return a.GID == b.GID && slices.Equal(a.Members, b.Members) }
	for _, name := range differing(oldGroups, nextGroups, same) {
		m.plan.Groups = append(m.plan.Groups, Group{name, pointer(oldGroups, name), pointer(nextGroups, name)})
	}
	m.decideAccounts()
	return m.decideLogins(old, next)
}

// decideAccounts asks about what nobody can have meant.
func (m *maker) decideAccounts() {
	const remedy = "an id never moves: build with the stet.lock that the machine was built with, which has it"
	moved := func(what, id, old, next string) {
		m.decide(DecideAccount, what, fmt.Sprintf("has %s %s, and %s in the new system: what it owns and runs would be another's", id, old, next), remedy)
	}
	for _, g := range m.plan.Groups {
		if g.Old != nil && g.New != nil && g.Old.GID != g.New.GID {
			moved("group "+g.Name, "gid", g.Old.GID, g.New.GID)
		}
	}
	for _, u := range m.plan.Users {
		if u.Old != nil && u.New != nil && u.Old.UID != u.New.UID {
			moved("user "+u.Name, "uid", u.Old.UID, u.New.UID)
		}
		if u.New == nil && slices.Contains(m.facts.Sessions, u.Name) {
			m.decide(DecideAccount, "user "+u.Name, "is logged in and has no account in the new system", "log out, or declare the user")
		}
	}
}

// ParseUsers reads passwd(5). What is no line of it counts for nothing.
func ParseUsers(text string) map[string]Account {
	all := map[string]Account{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if _, twice := all[f[0]]; len(f) == 7 && !twice { // libc takes the first of a name
			all[f[0]] = Account{f[2], f[3], f[4], f[5], f[6]}
		}
	}
	return all
}

// ParseGroups reads group(5). What is no line of it counts for nothing.
func ParseGroups(text string) map[string]Membership {
	all := map[string]Membership{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if _, twice := all[f[0]]; len(f) != 4 || twice {
			continue
		}
		members := slices.DeleteFunc(strings.Split(f[3], ","), func(name string) bool { return name == "" })
		slices.Sort(members)
		all[f[0]] = Membership{f[2], slices.Compact(members)}
	}
	return all
}

// readBoth reads the same of both sides.
func readBoth[T any](m *maker, read func(*side) (map[string]T, error)) (old, next map[string]T, err error) {
	if old, err = read(m.old); err != nil {
		return nil, nil, err
	}
	next, err = read(m.new)
	return old, next, err
}

// differing gives the names whose values differ, sorted.
func differing[T any](old, next map[string]T, same func(a, b T) bool) []string {
	union := maps.Clone(old)
	maps.Copy(union, next)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(union)), func(name string) bool {
		a, before := old[name]
		b, after := next[name]
		return before && after && same(a, b)
	})
}

func pointer[T any](all map[string]T, name string) *T {
	if value, ok := all[name]; ok {
		return &value
	}
	return nil
}
