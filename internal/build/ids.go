package build

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/rootfs"
)

// The ranges in which ids are given out (Debian Policy 9.2.2): programs from
// the top downwards, as systemd-sysusers does, people upwards.
const (
	systemFirst, systemLast = 999, 100
	humanFirst, humanLast   = 1000, 59999
)

// prove configures every machine's packages, extends the ledger by the
// accounts that their scripts made and that are declared, and notes the root
// that comes out.
func (l *Locker) prove(ctx context.Context, machines map[string]*machine.Machine, next *lock.Lock) error {
	roots := l.roots()
	configured := map[string]string{}
	inputs := map[string]rootfs.Input{}
	ledger := newLedger(next.IDs, l.Given)
	names := slices.Sorted(maps.Keys(machines))
	for _, name := range names {
		in := rootInput(l.Store, next.Select(next.Machines[name].Packages), machines[name], next.Epoch)
		digest, err := roots.Configure(ctx, in)
		if err != nil {
			return fmt.Errorf("machine %s: %w", name, err)
		}
		configured[name], inputs[name] = digest, in
		made, err := l.Store.Tree(digest)
		if err != nil {
			return err
		}
		found, err := rootfs.IDs(l.Store, made)
		if err != nil {
			return fmt.Errorf("machine %s: %w", name, err)
		}
		ledger.addFound(found)
	}
	for _, name := range names {
		if err := ledger.addDeclared(machines[name]); err != nil {
			return fmt.Errorf("machine %s: %w", name, err)
		}
	}
	next.IDs = ledger.ids
	for _, name := range names {
		digest, err := roots.Number(configured[name], next.IDs, inputs[name])
		if err != nil {
			return fmt.Errorf("machine %s: %w", name, err)
		}
		m := next.Machines[name]
		m.Result = lock.Result{Rootfs: digest, Stage: rootfs.Stage}
		next.Machines[name] = m
	}
	return nil
}

// Numbers are uids and gids of accounts, by their names.
type Numbers struct {
	Users  map[string]int `json:"users"`
	Groups map[string]int `json:"groups"`
}

// NewNumbers gives the numbers of the accounts that a lock knows and an older one
// does not.
func NewNumbers(old, next lock.IDs) Numbers {
	n := Numbers{Users: map[string]int{}, Groups: map[string]int{}}
	for name, u := range next.Users {
		if _, known := old.Users[name]; !known {
			n.Users[name] = u.UID
		}
	}
	for name, gid := range next.Groups {
		if _, known := old.Groups[name]; !known {
			n.Groups[name] = gid
		}
	}
	return n
}

// ledger gives out ids and never takes one back.
type ledger struct {
	ids          lock.IDs
	users, group map[int]bool // numbers in use
	given        Numbers      // to these names, and to no other; the ledger's own come first
}

func newLedger(ids lock.IDs, given Numbers) *ledger {
	l := &ledger{ids: ids, users: map[int]bool{}, group: map[int]bool{}, given: given}
	if ids.Users == nil {
		l.ids.Users = map[string]lock.User{}
	}
	if ids.Groups == nil {
		l.ids.Groups = map[string]int{}
	}
	for _, u := range ids.Users {
		l.users[u.UID] = true
	}
	for _, gid := range ids.Groups {
		l.group[gid] = true
	}
	return l
}

// addFound takes over accounts that scripts made. The number a script chose
// is kept if it is free; one that another name has is chosen anew.
func (l *ledger) addFound(found lock.IDs) {
	groupOf := map[int]string{}
	for _, name := range slices.Sorted(maps.Keys(found.Groups)) {
		gid := found.Groups[name]
		groupOf[gid] = name
		if _, known := l.ids.Groups[name]; !known {
			l.setGroup(name, free(name, l.group, l.given.Groups, gid, systemFirst, systemLast))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found.Users)) {
		if _, known := l.ids.Users[name]; known {
			continue
		}
		u := found.Users[name]
		u.UID = free(name, l.users, l.given.Users, u.UID, systemFirst, systemLast)
		if group, ok := groupOf[u.GID]; ok {
			u.GID = l.ids.Groups[group]
		}
		l.setUser(name, u)
	}
}

// addDeclared gives numbers to the accounts that a machine declares.
func (l *ledger) addDeclared(m *machine.Machine) error {
	for _, name := range slices.Sorted(maps.Keys(m.Groups)) {
		g := m.Groups[name]
		first, last := rangeOf(g.System)
		if err := l.declareGroup(name, g.GID, first, last); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Users)) {
		if err := l.declareUser(name, m.Users[name]); err != nil {
			return err
		}
	}
	return nil
}

func rangeOf(system bool) (first, last int) {
	if system {
		return systemFirst, systemLast
	}
	return humanFirst, humanLast
}

func (l *ledger) declareGroup(name string, gid, first, last int) error {
	have, known := l.ids.Groups[name]
	switch {
	case known && gid != 0 && have != gid:
		return fmt.Errorf("groups.%s.gid: the group has the number %d in stet.lock, and an id never moves: declare %d, or another name", name, have, have)
	case known:
		return nil
	case gid != 0 && l.group[gid]:
		return fmt.Errorf("groups.%s.gid: %d belongs to another group in stet.lock: choose another number", name, gid)
	}
	if gid == 0 {
		gid = free(name, l.group, l.given.Groups, first, first, last)
	}
	l.setGroup(name, gid)
	return nil
}

func (l *ledger) declareUser(name string, u machine.User) error {
	first, last := rangeOf(u.System)
	have, known := l.ids.Users[name]
	switch {
	case known && u.UID != 0 && have.UID != u.UID:
		return fmt.Errorf("users.%s.uid: the user has the number %d in stet.lock, and an id never moves: declare %d, or another name", name, have.UID, have.UID)
	case !known && u.UID != 0 && l.users[u.UID]:
		return fmt.Errorf("users.%s.uid: %d belongs to another user in stet.lock: choose another number", name, u.UID)
	}
	uid := have.UID
	if !known {
		if uid = u.UID; uid == 0 {
			uid = free(name, l.users, l.given.Users, first, first, last)
		}
	}
	group := u.Group
	if group == "" {
		group = name
		// One number for a user and its group, if both are free.
		if err := l.declareGroup(name, 0, free(name, l.group, l.given.Groups, uid, first, last), last); err != nil {
			return err
		}
	}
	gid, ok := l.ids.Groups[group]
	if !ok {
		return fmt.Errorf("users.%s.group: there is no group %s: declare it under groups", name, group)
	}
	if !known {
		kind := lock.Human
		if u.System {
			kind = lock.System
		}
		l.setUser(name, lock.User{UID: uid, GID: gid, Kind: kind})
	}
	return nil
}

func (l *ledger) setUser(name string, u lock.User) {
	l.ids.Users[name] = u
	l.users[u.UID] = true
}

func (l *ledger) setGroup(name string, gid int) {
	l.ids.Groups[name] = gid
	l.group[gid] = true
}

// free gives the number that the name was given before; else the wished one, or the
// next from first towards last. It is one that nobody has, and, that was given to nobody
// else.
func free(name string, used map[int]bool, given map[string]int, wish, first, last int) int {
	if id, ok := given[name]; ok && !used[id] {
		return id
	}
	taken := map[int]bool{}
	for _, id := range given {
		taken[id] = true
	}
	if !used[wish] && !taken[wish] {
		return wish
	}
	step := 1
	if last < first {
		step = -1
	}
	for id := first; id != last; id += step {
		if !used[id] && !taken[id] {
			return id
		}
	}
	return last
}
