package solve

import (
	"testing"
)

func TestSolveChooses(t *testing.T) {
	for _, tt := range []struct {
		name      string
		preferred []string
		universe  []string
		later     []string // a less preferred group
		req       Request
		want      string
		versions  bool
	}{
		{
			name:     "dependencies and pre-dependencies",
			universe: []string{"a 1; Depends: b; Pre-Depends: c", "b 1; Depends: d", "c 1", "d 1", "e 1"},
			req:      Request{Wants: wants("a")},
			want:     "a b c d",
		},
		{
			name:     "nothing for a dependency loop but its members",
			universe: []string{"a 1; Depends: b", "b 1; Depends: c", "c 1; Depends: a"},
			req:      Request{Wants: wants("b")},
			want:     "a b c",
		},
		{
			name:     "the first alternative",
			universe: []string{"a 1; Depends: y | x", "x 1", "y 1"},
			req:      Request{Wants: wants("a")},
			want:     "a y",
		},
		{
			name:     "the alternative that is there anyway",
			universe: []string{"a 1; Depends: y | x", "b 1; Depends: c", "c 1; Depends: x", "x 1", "y 1"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a b c x",
		},
		{
			name:     "the second alternative when the first is not there",
			universe: []string{"a 1; Depends: y | x", "x 1"},
			req:      Request{Wants: wants("a")},
			want:     "a x",
		},
		{
			name:     "the second alternative when the first cannot be installed deep down",
			universe: []string{"a 1; Depends: y | x", "x 1", "y 1; Depends: z", "z 1; Depends: p | q", "p 1; Conflicts: a", "q 1; Depends: missing"},
			req:      Request{Wants: wants("a")},
			want:     "a x",
		},
		{
			name:     "the real package before providers",
			universe: []string{"a 1; Depends: v", "v 1", "b 1; Provides: v; Priority: required"},
			req:      Request{Wants: wants("a")},
			want:     "a v",
		},
		{
			name:     "of providers the essential one",
			universe: []string{"a 1; Depends: v", "p 1; Provides: v; Priority: required", "q 1; Provides: v; Essential: yes; Priority: optional"},
			req:      Request{Wants: wants("a")},
			want:     "a q",
		},
		{
			name:     "of providers the one of higher Priority",
			universe: []string{"a 1; Depends: v", "p 1; Provides: v; Priority: optional", "q 1; Provides: v; Priority: standard"},
			req:      Request{Wants: wants("a")},
			want:     "a q",
		},
		{
			name:     "of equal providers the first name",
			universe: []string{"a 1; Depends: v", "q 1; Provides: v", "p 1; Provides: v"},
			req:      Request{Wants: wants("a")},
			want:     "a p",
		},
		{
			name:     "a versioned Provides for a versioned dependency",
			universe: []string{"a 1; Depends: v (>= 2)", "p 1; Provides: v", "q 1; Provides: v (= 1)", "r 1; Provides: v (= 2)"},
			req:      Request{Wants: wants("a")},
			want:     "a r",
		},
		{
			name:      "a preferred provider before the real package and the first alternative",
			universe:  []string{"linux 1; Depends: initramfs-tools (>= 0.1) | linux-initramfs-tool", "initramfs-tools 0.2", "dracut 1; Provides: linux-initramfs-tool"},
			preferred: []string{"stet-initrd 1 all; Provides: linux-initramfs-tool"},
			req:       Request{Wants: wants("linux")},
			want:      "linux stet-initrd",
		},
		{
			name:      "nothing preferred that nobody needs",
			universe:  []string{"a 1"},
			preferred: []string{"stet-initrd 1 all; Provides: linux-initramfs-tool"},
			req:       Request{Wants: wants("a")},
			want:      "a",
		},
		{
			name:     "the highest version",
			universe: []string{"a 1.9", "a 1.10", "a 1.2"},
			req:      Request{Wants: wants("a")},
			want:     "a=1.10", versions: true,
		},
		{
			name:      "the locked version before a higher one",
			preferred: []string{"a 1.9"},
			universe:  []string{"a 1.9", "a 1.10"},
			req:       Request{Wants: wants("a")},
			want:      "a=1.9", versions: true,
		},
		{
			name:      "a higher version than the locked one when that must be",
			preferred: []string{"a 1.9"},
			universe:  []string{"a 1.9", "a 1.10", "b 1; Depends: a (>= 1.10)"},
			req:       Request{Wants: wants("a", "b")},
			want:      "a=1.10 b=1", versions: true,
		},
		{
			name:     "the version of the earlier group",
			universe: []string{"a 1"},
			later:    []string{"a 2"},
			req:      Request{Wants: wants("a")},
			want:     "a=1", versions: true,
		},
		{
			name:     "the second alternative before the first in a version that is no candidate",
			universe: []string{"a 1; Depends: x (>= 2) | y", "x 1", "y 1"},
			later:    []string{"x 2"},
			req:      Request{Wants: wants("a")},
			want:     "a=1 y=1", versions: true,
		},
		{
			name:     "a version that is no candidate when nothing else will do",
			universe: []string{"a 1; Depends: x (>= 2)", "x 1"},
			later:    []string{"x 2"},
			req:      Request{Wants: wants("a")},
			want:     "a=1 x=2", versions: true,
		},
		{
			name:     "the wished version with what it needs",
			universe: []string{"a 2", "a 1; Depends: b (<< 2)", "b 2", "b 1"},
			req:      Request{Wants: wants("a=1")},
			want:     "a=1 b=1", versions: true,
		},
		{
			name:     "another way round a conflict",
			universe: []string{"a 1; Depends: x | y", "b 1; Conflicts: x", "x 1", "y 1"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a b y",
		},
		{
			name:     "another way round a Breaks of only some versions",
			universe: []string{"a 1; Depends: x", "b 1; Breaks: x (>= 2)", "x 2", "x 1"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a=1 b=1 x=1", versions: true,
		},
		{
			name:     "itself in spite of its Conflicts with what it provides",
			universe: []string{"exim 1; Provides: mta; Conflicts: mta", "a 1; Depends: mta"},
			req:      Request{Wants: wants("a", "exim")},
			want:     "a exim",
		},
		{
			name:     "nothing new for a dependency on what it provides itself",
			universe: []string{"a 1; Provides: v; Depends: v", "v 1"},
			req:      Request{Wants: wants("a")},
			want:     "a",
		},
		{
			name:     "both though an unversioned Provides is broken by version",
			universe: []string{"a 1; Provides: v", "b 1; Breaks: v (<< 2)"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a b",
		},
		{
			name:     "no Recommends by default",
			universe: []string{"a 1; Recommends: b", "b 1"},
			req:      Request{Wants: wants("a")},
			want:     "a",
		},
		{
			name:     "Recommends when switched on, and theirs",
			universe: []string{"a 1; Recommends: b", "b 1; Depends: c; Recommends: d", "c 1", "d 1"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a b c d",
		},
		{
			name:     "Recommends of one package only",
			universe: []string{"a 1; Recommends: b; Depends: x", "b 1; Recommends: c", "c 1", "x 1; Recommends: c"},
			req:      Request{Wants: wants("a"), RecommendsOf: map[string]bool{"a": true}},
			want:     "a b x",
		},
		{
			name:     "Recommends of all but one package",
			universe: []string{"a 1; Recommends: b; Depends: x", "b 1", "c 1", "x 1; Recommends: c"},
			req:      Request{Wants: wants("a"), Recommends: true, RecommendsOf: map[string]bool{"x": false}},
			want:     "a b x",
		},
		{
			name:     "no Recommends that cannot be had",
			universe: []string{"a 1; Recommends: b, c, d", "b 1; Depends: missing", "c 1; Conflicts: a", "d 1"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a d",
		},
		{
			name:     "no Recommends at the price of a dependency's best choice",
			universe: []string{"a 1; Recommends: b; Depends: x | y", "b 1; Conflicts: x", "x 1", "y 1"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a x",
		},
		{
			name:     "of two recommended enemies the first",
			universe: []string{"a 1; Recommends: c, b", "b 1", "c 1; Depends: d", "d 1; Conflicts: b"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a c d",
		},
		{
			name:     "Essential and priorities with what they need",
			universe: []string{"e 1; Essential: yes; Depends: lib", "i 1; Priority: important", "s 1; Priority: standard", "lib 1", "a 1"},
			req:      Request{Wants: wants("a"), Essential: true, Priorities: []string{"required", "important"}},
			want:     "a e i lib",
		},
		{
			name:     "a base of every priority",
			universe: []string{"a 1; Priority: optional", "b 1; Priority: extra", "c 1; Priority: important", "d 1"},
			req:      Request{Wants: wants("c"), Priorities: []string{"optional", "extra"}},
			want:     "a b c",
		},
		{
			name:     "no excluded package, also not of the base",
			universe: []string{"a 1; Depends: x | y", "x 1", "y 1", "i 1; Priority: important"},
			req:      Request{Wants: wants("a"), Priorities: []string{"important"}, Exclude: map[string]string{"x": "role", "i": "role"}},
			want:     "a y",
		},
		{
			name:     "a choice dropped that a Recommends makes needless",
			universe: []string{"a 1; Depends: b; Recommends: c", "b 1; Depends: x", "c 1; Depends: y", "x 1; Depends: y", "y 1; Provides: x"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a b c y",
		},
		{
			name:     "Recommends of one package only",
			universe: []string{"a 1; Recommends: x", "b 1; Recommends: y", "x 1; Recommends: z", "y 1", "z 1"},
			req:      Request{Wants: wants("a", "b"), RecommendsOf: map[string]bool{"a": true}},
			want:     "a b x",
		},
		{
			name:     "all Recommends but of one package",
			universe: []string{"a 1; Recommends: x", "b 1; Recommends: y", "x 1; Recommends: z", "y 1", "z 1"},
			req:      Request{Wants: wants("a", "b"), Recommends: true, RecommendsOf: map[string]bool{"x:amd64": false}},
			want:     "a b x y",
		},
		{
			name:     "no excluded Recommends, and no error for it",
			universe: []string{"a 1; Recommends: x, y | z", "x 1", "y 1", "z 1"},
			req:      Request{Wants: wants("a"), Recommends: true, Exclude: map[string]string{"x": "exclude", "y:amd64": "exclude", "z:i386": "exclude"}},
			want:     "a z",
		},
		{
			name:     "a choice dropped that became needless",
			universe: []string{"a 1; Depends: x | y", "b 1; Depends: p | q", "p 1; Depends: y", "q 1", "x 1", "y 1"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a b p y",
		},
		{
			name:     "a choice dropped for what a longer chain brings anyway, and none for a dropped one",
			universe: []string{"a 1; Depends: pdf | any-pdf, gv | any-ps, b", "b 1; Depends: c", "c 1; Depends: gs", "pdf 1", "gv 1; Provides: any-pdf; Depends: gs", "gs 1; Provides: any-ps"},
			req:      Request{Wants: wants("a")},
			want:     "a b c gs pdf",
		},
		{
			name:     "a choice dropped for the earlier alternative of another relation",
			universe: []string{"a 1; Depends: m; Recommends: db", "m 1; Recommends: z | db", "x 1; Provides: db; Depends: z", "z 1; Provides: db"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a m z",
		},
		{
			name:     "no choice dropped for what only it brings",
			universe: []string{"a 1; Depends: m; Recommends: db", "m 1; Recommends: x | z", "x 1; Provides: db; Depends: z", "z 1; Provides: db"},
			req:      Request{Wants: wants("a"), Recommends: true},
			want:     "a m x z",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Architecture = "amd64"
			u := NewUniverse(
				Group{Catalogs: catalogs(packages(t, tt.preferred...)), Preferred: true},
				Group{Catalogs: catalogs(packages(t, tt.universe...))},
				Group{Catalogs: catalogs(packages(t, tt.later...))},
			)
			s, err := Solve(u, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			if got := keys(s, tt.versions); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
