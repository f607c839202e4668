package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"stet/internal/lock"
	"stet/internal/machine"
)

func TestAnIDNeverMoves(t *testing.T) {
	l := newLedger(lock.IDs{
		Users:  map[string]lock.User{"web": {UID: 998, GID: 997, Kind: lock.System}},
		Groups: map[string]int{"web": 997},
	}, Numbers{})
	l.addFound(lock.IDs{
		Users:  map[string]lock.User{"web": {UID: 101, GID: 102}, "mail": {UID: 998, GID: 997}, "root": {}},
		Groups: map[string]int{"web": 102, "mail": 997, "root": 0},
	})
	if have := l.ids.Users["web"]; have.UID != 998 || have.GID != 997 {
		t.Errorf("web moved to %+v", have)
	}
	mail := l.ids.Users["mail"]
	if mail.UID == 998 || l.ids.Groups["mail"] == 997 || mail.GID != l.ids.Groups["mail"] {
		t.Errorf("mail took a number that was taken: %+v, group %d", mail, l.ids.Groups["mail"])
	}
}

func TestDeclaredAccountsGetNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		users  map[string]machine.User
		groups map[string]machine.Group
		want   string // "name uid gid", joined; or a part of the error after "!"
	}{
		"people count upwards":         {users: map[string]machine.User{"bob": {}, "ada": {}}, want: "ada 1000 1000, bob 1001 1001"},
		"programs count downwards":     {users: map[string]machine.User{"app": {System: true}}, want: "app 999 999"},
		"a declared number":            {users: map[string]machine.User{"ada": {UID: 1500}}, want: "ada 1500 1500"},
		"a group of another name":      {users: map[string]machine.User{"ada": {Group: "users"}}, want: "ada 1000 100"},
		"a group that is declared":     {users: map[string]machine.User{"ada": {Group: "team"}}, groups: map[string]machine.Group{"team": {GID: 2000}}, want: "ada 1000 2000"},
		"a group that is not there":    {users: map[string]machine.User{"ada": {Group: "team"}}, want: "!there is no group team"},
		"a number that is taken":       {users: map[string]machine.User{"ada": {UID: 42}}, want: "!42 belongs to another user"},
		"a number other than before":   {users: map[string]machine.User{"old": {UID: 1234}}, want: "!an id never moves"},
		"a group number that is taken": {groups: map[string]machine.Group{"team": {GID: 100}}, want: "!100 belongs to another group"},
	} {
		l := newLedger(lock.IDs{
			Users:  map[string]lock.User{"old": {UID: 4000, GID: 4000, Kind: lock.Human}, "_apt": {UID: 42, GID: 65534}},
			Groups: map[string]int{"old": 4000, "users": 100},
		}, Numbers{})
		err := l.addDeclared(&machine.Machine{Users: c.users, Groups: c.groups})
		if problem, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: have %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		have := numbersOf(l, c.users)
		if have != c.want {
			t.Errorf("%s: have %s, want %s", name, have, c.want)
		}
	}
}

// TestWhatATryGaveIsGivenAgain tries a package that makes an account. Then another is
// added, whose script chooses the same number, and only then the one that was tried.
func TestWhatATryGaveIsGivenAgain(t *testing.T) {
	locked := func() lock.IDs {
		return lock.IDs{Users: map[string]lock.User{"web": {UID: 998, GID: 998, Kind: lock.System}}, Groups: map[string]int{"web": 998}}
	}
	found := func(name string) lock.IDs {
		return lock.IDs{
			Users:  map[string]lock.User{"web": {UID: 101, GID: 101}, name: {UID: 998, GID: 998, Kind: lock.System}},
			Groups: map[string]int{"web": 101, name: 998},
		}
	}
	try := newLedger(locked(), Numbers{})
	try.addFound(found("tried"))
	given := NewNumbers(locked(), try.ids)
	if len(given.Users) != 1 || len(given.Groups) != 1 || given.Users["tried"] != 999 || given.Groups["tried"] != 999 {
		t.Fatalf("a try gave %+v", given)
	}

	added := newLedger(locked(), Numbers{})
	added.addFound(found("tried"))
	if added.ids.Users["tried"] != try.ids.Users["tried"] {
		t.Errorf("added at once it is %+v, tried %+v", added.ids.Users["tried"], try.ids.Users["tried"])
	}

	later := newLedger(locked(), given)
	later.addFound(found("other"))
	if err := later.addDeclared(&machine.Machine{Users: map[string]machine.User{"app": {System: true}}}); err != nil {
		t.Fatal(err)
	}
	later.addFound(found("tried"))
	if have := later.ids.Users["tried"]; have.UID != 999 || have.GID != 999 {
		t.Errorf("what was tried is %+v then", have)
	}
	for _, name := range []string{"other", "app"} {
		if u := later.ids.Users[name]; u.UID == 999 || u.GID == 999 {
			t.Errorf("%s has the number of what was tried: %+v", name, u)
		}
	}

	// What is declared, and what a lock has, are the person's word.
	declared := newLedger(locked(), given)
	if err := declared.addDeclared(&machine.Machine{Users: map[string]machine.User{"app": {UID: 999, System: true}}}); err != nil || declared.ids.Users["app"].UID != 999 {
		t.Errorf("a declared number is %d, %v", declared.ids.Users["app"].UID, err)
	}
	elsewhere := locked()
	elsewhere.Users["tried"], elsewhere.Groups["tried"] = lock.User{UID: 500, GID: 500}, 500
	moved := newLedger(elsewhere, given)
	moved.addFound(found("tried"))
	if have := moved.ids.Users["tried"].UID; have != 500 {
		t.Errorf("a number of the lock moved to %d", have)
	}
}

func numbersOf(l *ledger, users map[string]machine.User) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(users)) {
		u := l.ids.Users[name]
		out = append(out, fmt.Sprintf("%s %d %d", name, u.UID, u.GID))
	}
	return strings.Join(out, ", ")
}

func TestTheLedgerDoesNotDependOnTheOrderOfMaps(t *testing.T) {
	found := lock.IDs{Users: map[string]lock.User{}, Groups: map[string]int{}}
	for _, name := range strings.Fields("a b c d e f g h i j k") {
		found.Users[name], found.Groups[name] = lock.User{UID: 999, GID: 999}, 999
	}
	first := newLedger(lock.IDs{}, Numbers{})
	first.addFound(found)
	for range 20 {
		again := newLedger(lock.IDs{}, Numbers{})
		again.addFound(found)
		if !maps.Equal(again.ids.Users, first.ids.Users) || !maps.Equal(again.ids.Groups, first.ids.Groups) {
			t.Fatal("the same accounts got other numbers")
		}
	}
}
