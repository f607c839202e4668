package state

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func persisting(patterns ...string) Policy { return Policy{Format: policyFormat, Persist: patterns} }

// An upperOf is an upper of a test.
type upperOf struct {
	has   files
	noted []string // what its policy persists; nil: nobody noted it
}

func (u upperOf) make(t *testing.T, dir string, number int) Upper {
	t.Helper()
	made := Upper{Number: number, Directory: filepath.Join(dir, strconv.Itoa(number))}
	must(t, os.MkdirAll(made.Upper(), 0o755))
	u.has.make(t, made.Upper())
	if u.noted != nil {
		must(t, made.NotePolicy(persisting(u.noted...)))
	}
	return made
}

func TestWhatPersistsAgainIsFoundWhereItWasLast(t *testing.T) {
	database := files{"postgresql/17/main/start.conf": "auto"}
	for name, test := range map[string]struct {
		uppers       []upperOf // the last is the present one
		before, next []string
		want         map[int][]string
	}{
		"nothing is persisted that was not": {
			[]upperOf{{has: database}, {}}, []string{"/etc/postgresql"}, []string{"/etc/postgresql"}, nil,
		},
		"a path in a directory that was persisted": {
			[]upperOf{{has: database}, {}}, []string{"/etc/postgresql"}, []string{"/etc/postgresql/17"}, nil,
		},
		"the newest that has it": {
			[]upperOf{{has: database}, {has: database}, {}, {has: files{"motd": "x"}}}, nil, []string{"/etc/postgresql", "/etc/none"},
			map[int][]string{2: {"/etc/postgresql"}},
		},
		"several, each from its own": {
			[]upperOf{{has: files{"a": "1", "b/c": "1"}}, {has: files{"a": "2"}}, {}}, nil, []string{"/etc/a", "/etc/b/c"},
			map[int][]string{1: {"/etc/b/c"}, 2: {"/etc/a"}},
		},
		"a pattern": {
			[]upperOf{{has: files{"net/home.conf": "1"}}, {has: files{"net/deep/x.conf": "2"}}, {}}, nil, []string{"/etc/net/*.conf"},
			map[int][]string{1: {"/etc/net/*.conf"}},
		},
		"what the present one has, is there": {
			[]upperOf{{has: database}, {has: files{"postgresql/mine": "new"}}}, nil, []string{"/etc/postgresql"}, nil,
		},
		"one that persisted it and has it": {
			[]upperOf{{has: database, noted: []string{"/etc/postgresql"}}, {noted: []string{}}, {}}, nil, []string{"/etc/postgresql"},
			map[int][]string{1: {"/etc/postgresql"}},
		},
		"what was removed while it persisted stays removed": {
			[]upperOf{{has: database}, {noted: []string{"/etc/postgresql"}}, {noted: []string{}}, {}}, nil, []string{"/etc/postgresql"}, nil,
		},
		"a link that leads nowhere": {
			[]upperOf{{has: files{"link": "-> /nowhere"}}, {}}, nil, []string{"/etc/link"}, map[int][]string{1: {"/etc/link"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var uppers []Upper
			for i, u := range test.uppers {
				uppers = append(uppers, u.make(t, dir, i+1))
			}
			last := len(uppers) - 1
			all, err := Regain(uppers[:last], uppers[last], persisting(test.before...), persisting(test.next...))
			must(t, err)
			var have map[int][]string
			for _, r := range all {
				if have == nil {
					have = map[int][]string{}
				}
				have[r.From.Number] = r.Persist
			}
			if diff := cmp.Diff(test.want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnUpperThatCannotBeReadHidesNoOther(t *testing.T) {
	dir := t.TempDir()
	first := upperOf{has: files{"conf": "1"}}.make(t, dir, 1)
	gone := Upper{Number: 2, Directory: filepath.Join(dir, "2")}
	all, err := Regain([]Upper{first, gone}, upperOf{}.make(t, dir, 3), Policy{}, persisting("/etc/conf"))
	if err == nil || len(all) != 1 || all[0].From.Number != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAPolicyIsNotedBesideAnUpper(t *testing.T) {
	u := upperOf{}.make(t, t.TempDir(), 1)
	if _, known := u.NotedPolicy(); known {
		t.Error("nobody noted a policy")
	}
	for _, p := range []Policy{{}, persisting("/etc/a*"), {Persist: []string{"/etc/b"}, Users: map[string][]string{"ada": {FieldShell}}}} {
		must(t, u.NotePolicy(p))
		p.Format = policyFormat
		have, known := u.NotedPolicy()
		if diff := cmp.Diff(p, have); diff != "" || !known {
			t.Error(known, diff)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(u.Directory, ".*")); len(left) > 0 {
		t.Errorf("beside it is %q", left)
	}
}
