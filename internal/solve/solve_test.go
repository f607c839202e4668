package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/debian"
)

// packages reads one package per line: "name version [arch] | Field: value | …".
func packages(t testing.TB, lines ...string) []*debian.Package {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		fields := strings.Split(line, "; ")
		head := strings.Fields(fields[0])
		arch := "amd64"
		if len(head) > 2 {
			arch = head[2]
		}
		b.WriteString("Package: " + head[0] + "\nVersion: " + head[1] + "\nArchitecture: " + arch + "\n")
		b.WriteString("Filename: pool/" + head[0] + "_" + head[1] + "_" + arch + ".deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n")
		for _, f := range fields[1:] {
			b.WriteString(f + "\n")
		}
		b.WriteString("\n")
	}
	pkgs, err := debian.ParsePackages(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// wants makes wishes of "name" or "name=version".
func wants(names ...string) []Want {
	var out []Want
	for _, n := range names {
		name, version, _ := strings.Cut(n, "=")
		out = append(out, Want{Name: name, Version: version, Because: "hello"})
	}
	return out
}

// keys lists a solution as "name" for the candidate architecture amd64 and all,
// "name:arch" for another one, with "=version" when several are about.
func keys(s *Solution, versions bool) string {
	var out []string
	for _, c := range s.Packages {
		k := c.Name
		if c.Architecture != "amd64" && c.Architecture != "all" {
			k += ":" + c.Architecture
		}
		if versions {
			k += "=" + c.Version
		}
		out = append(out, k)
	}
	return strings.Join(out, " ")
}

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
			name:     "no excluded package, also not of the base",
			universe: []string{"a 1; Depends: x | y", "x 1", "y 1", "i 1; Priority: important"},
			req:      Request{Wants: wants("a"), Priorities: []string{"important"}, Exclude: map[string]string{"x": "role", "i": "role"}},
			want:     "a y",
		},
		{
			name:     "a choice dropped that became needless",
			universe: []string{"a 1; Depends: x | y", "b 1; Depends: p | q", "p 1; Depends: y", "q 1", "x 1", "y 1"},
			req:      Request{Wants: wants("a", "b")},
			want:     "a b p y",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Architecture = "amd64"
			u := NewUniverse(
				Group{Packages: packages(t, tt.preferred...), Preferred: true},
				Group{Packages: packages(t, tt.universe...)},
				Group{Packages: packages(t, tt.later...)},
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

func TestSolveMultiArch(t *testing.T) {
	for _, tt := range []struct {
		name     string
		universe []string
		wants    []string
		want     string // packages, or the error
	}{
		{
			name:     "a foreign package takes its libraries of its own architecture",
			universe: []string{"wine 1 i386; Depends: libc6", "libc6 1 amd64; Multi-Arch: same", "libc6 1 i386; Multi-Arch: same", "a 1; Depends: libc6"},
			wants:    []string{"wine:i386", "a"},
			want:     "a libc6 libc6:i386 wine:i386",
		},
		{
			name:     "a name without architecture is native",
			universe: []string{"a 1 i386", "a 1 amd64"},
			wants:    []string{"a"},
			want:     "a",
		},
		{
			name:     "architecture all counts as native",
			universe: []string{"a 1 all; Depends: b", "b 1 i386", "b 1 amd64"},
			wants:    []string{"a"},
			want:     "a b",
		},
		{
			name:     "a foreign package does not get an all package that is not Multi-Arch: foreign",
			universe: []string{"a 1 i386; Depends: data", "data 1 all"},
			wants:    []string{"a:i386"},
			want:     "hello wants a (1); a (1) depends on data; data is only there for all",
		},
		{
			name:     "Multi-Arch: foreign serves every architecture, the native one first",
			universe: []string{"a 1 i386; Depends: tool", "tool 1 i386; Multi-Arch: foreign", "tool 1 amd64; Multi-Arch: foreign"},
			wants:    []string{"a:i386"},
			want:     "a:i386 tool",
		},
		{
			name:     "Multi-Arch: allowed serves :any only",
			universe: []string{"a 1 i386; Depends: python3:any", "python3 1 amd64; Multi-Arch: allowed"},
			wants:    []string{"a:i386"},
			want:     "a:i386 python3",
		},
		{
			name:     "Multi-Arch: allowed does not serve another architecture unasked",
			universe: []string{"a 1 i386; Depends: python3", "python3 1 amd64; Multi-Arch: allowed"},
			wants:    []string{"a:i386"},
			want:     "hello wants a (1); a (1) depends on python3; python3 is only there for amd64",
		},
		{
			name:     "an architecture in a relation",
			universe: []string{"a 1 amd64; Depends: lib:i386", "lib 1 i386", "lib 1 amd64"},
			wants:    []string{"a"},
			want:     "a lib:i386",
		},
		{
			name:     "Multi-Arch: same must have one version",
			universe: []string{"lib 1 i386; Multi-Arch: same", "lib 2 amd64; Multi-Arch: same", "lib 1 amd64; Multi-Arch: same"},
			wants:    []string{"lib", "lib:i386"},
			want:     "lib lib:i386",
		},
		{
			name:     "others come in one architecture only",
			universe: []string{"a 1 i386", "a 1 amd64"},
			wants:    []string{"a", "a:i386"},
			want:     "a:amd64 (1) and a:i386 (1) cannot be installed together; on one side: hello wants a (1); on the other: hello wants a (1)",
		},
		{
			name:     "a conflict hits every architecture",
			universe: []string{"a 1 amd64; Conflicts: b", "b 1 i386"},
			wants:    []string{"a", "b:i386"},
			want:     "a (1) conflicts with b (1); on one side: hello wants a (1); on the other: hello wants b (1)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := NewUniverse(Group{Packages: packages(t, tt.universe...)})
			s, err := Solve(u, Request{Wants: wants(tt.wants...), Architecture: "amd64"})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = keys(s, false)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestSolveRefuses(t *testing.T) {
	for _, tt := range []struct {
		name     string
		universe []string
		req      Request
		want     string
	}{
		{
			name:     "an unknown name, with names that look alike",
			universe: []string{"nginx 1", "nginx-light 1", "ngircd 1", "curl 1"},
			req:      Request{Wants: wants("ngnix")},
			want:     "hello wants ngnix: there is no such package; did you mean nginx?",
		},
		{
			name:     "a name that real ones begin with",
			universe: []string{"postgresql-17 1", "postgresql-client-17 1"},
			req:      Request{Wants: wants("postgresql")},
			want:     "hello wants postgresql: there is no such package; did you mean postgresql-17 or postgresql-client-17?",
		},
		{
			name:     "an unknown name, a real one that it begins before one that looks alike",
			universe: []string{"firefox-esr 1", "firehol 1"},
			req:      Request{Wants: wants("firefox")},
			want:     "hello wants firefox: there is no such package; did you mean firefox-esr?",
		},
		{
			name:     "all unknown names at once",
			universe: []string{"a 1"},
			req:      Request{Wants: wants("xxxx", "yyyy")},
			want:     "hello wants xxxx: there is no such package\nhello wants yyyy: there is no such package",
		},
		{
			name:     "a virtual package, with its providers",
			universe: []string{"exim4 1; Provides: mta", "postfix 1; Provides: mta"},
			req:      Request{Wants: wants("mta")},
			want:     "hello wants mta: this is a virtual package; choose one that provides it: exim4 or postfix",
		},
		{
			name:     "a version that is not there",
			universe: []string{"a 1", "a 2"},
			req:      Request{Wants: wants("a=3")},
			want:     "hello wants a (= 3): there is no such version, only 2 and 1",
		},
		{
			name:     "an architecture that is not there",
			universe: []string{"a 1"},
			req:      Request{Wants: wants("a:i386")},
			want:     "hello wants a:i386: it is not there for that architecture, only for amd64",
		},
		{
			name:     "a wish that is excluded",
			universe: []string{"a 1"},
			req:      Request{Wants: wants("a"), Exclude: map[string]string{"a": "role server"}},
			want:     "hello wants a, but it is excluded by role server",
		},
		{
			name:     "a version too low",
			universe: []string{"nginx 1.26.3-3; Depends: libfoo (>= 2)", "libfoo 1.9"},
			req:      Request{Wants: wants("nginx")},
			want:     "hello wants nginx (1.26.3-3); nginx (1.26.3-3) depends on libfoo (>= 2); libfoo is only there as 1.9",
		},
		{
			name:     "the short chain of several that fail",
			universe: []string{"a 1; Depends: b, c", "b 1; Depends: d", "d 1; Depends: missing", "c 1; Depends: gone"},
			req:      Request{Wants: wants("a")},
			want:     "hello wants a (1); a (1) depends on c; c (1) depends on gone; gone is not there",
		},
		{
			name:     "every alternative, each with its cause",
			universe: []string{"a 1; Depends: x (>= 2) | y | z | v (>= 1)", "x 1", "z 1", "p 1; Provides: v"},
			req:      Request{Wants: wants("a"), Exclude: map[string]string{"z": "role server"}},
			want:     "hello wants a (1); a (1) depends on x (>= 2) | y | z | v (>= 1); x is only there as 1; y is not there; z is excluded by role server; v is only provided by p (without a version)",
		},
		{
			name:     "a way through a provider",
			universe: []string{"a 1; Depends: v", "p 1; Provides: v; Pre-Depends: gone"},
			req:      Request{Wants: wants("a")},
			want:     "hello wants a (1); a (1) depends on v (here p (1)); p (1) pre-depends on gone; gone is not there",
		},
		{
			name:     "a conflict between wishes, with both chains, and none of the others",
			universe: []string{"a 1; Depends: exim4", "b 1; Depends: c", "c 1; Depends: postfix", "exim4 1; Provides: mta; Conflicts: mta", "postfix 2; Provides: mta", "other 1", "z 1"},
			req:      Request{Wants: wants("other", "b", "z", "a")},
			want:     "exim4 (1) conflicts with mta, which postfix (2) provides; on one side: hello wants a (1); a (1) depends on exim4; on the other: hello wants b (1); b (1) depends on c; c (1) depends on postfix",
		},
		{
			name:     "a conflict with the base",
			universe: []string{"cron 3; Priority: important; Provides: cron-daemon", "systemd-cron 1; Conflicts: cron"},
			req:      Request{Wants: wants("systemd-cron"), Priorities: []string{"important"}},
			want:     "systemd-cron (1) conflicts with cron (3); on one side: hello wants systemd-cron (1); on the other: cron (3) has priority important",
		},
		{
			name:     "a Breaks",
			universe: []string{"a 1; Depends: b; Breaks: b (<< 2)", "b 1"},
			req:      Request{Wants: wants("a")},
			want:     "a (1) breaks b (<< 2), here b (1); on one side: hello wants a (1); on the other: hello wants a (1); a (1) depends on b",
		},
		{
			name:     "two versions of one package",
			universe: []string{"a 1; Depends: lib (= 1)", "b 1; Depends: lib (= 2)", "lib 1", "lib 2"},
			req:      Request{Wants: wants("a", "b")},
			want:     "lib:amd64 (1) and lib:amd64 (2) cannot be installed together; on one side: hello wants a (1); a (1) depends on lib (= 1); on the other: hello wants b (1); b (1) depends on lib (= 2)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Architecture = "amd64"
			_, err := Solve(NewUniverse(Group{Packages: packages(t, tt.universe...)}), tt.req)
			if err == nil {
				t.Fatal("solved")
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestErrorsAreTyped(t *testing.T) {
	u := NewUniverse(Group{Packages: packages(t, "a 1; Depends: gone", "b 1; Conflicts: c", "c 1")})
	var want *WantError
	if _, err := Solve(u, Request{Wants: wants("x", "y"), Architecture: "amd64"}); !errors.As(err, &want) || want.Want.Name != "x" {
		t.Errorf("unknown name: %v", err)
	}
	var dependency *DependencyError
	if _, err := Solve(u, Request{Wants: wants("a"), Architecture: "amd64"}); !errors.As(err, &dependency) || dependency.Relation[0].Name != "gone" {
		t.Errorf("missing dependency: %v", err)
	}
	var conflict *ConflictError
	if _, err := Solve(u, Request{Wants: wants("b", "c"), Architecture: "amd64"}); !errors.As(err, &conflict) || conflict.Field != "Conflicts" {
		t.Errorf("conflict: %v", err)
	}
}

func TestReasons(t *testing.T) {
	u := NewUniverse(Group{Packages: packages(t,
		"nginx 1; Depends: libc, helper | other; Recommends: doc", "helper 1; Pre-Depends: tool", "tool 1", "doc 1; Depends: viewer", "viewer 1; Depends: libc",
		"libc 1; Essential: yes", "init 1; Priority: important; Depends: awk", "mawk 1; Provides: awk",
	)})
	s, err := Solve(u, Request{Wants: wants("nginx"), Essential: true, Priorities: []string{"important"}, Recommends: true, Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"nginx":  "hello wants nginx (1)",
		"libc":   "libc (1) is essential",
		"tool":   "hello wants nginx (1); nginx (1) depends on helper | other (here helper (1)); helper (1) pre-depends on tool",
		"viewer": "hello wants nginx (1); nginx (1) recommends doc; doc (1) depends on viewer",
		"mawk":   "init (1) has priority important; init (1) depends on awk (here mawk (1))",
	} {
		if got := s.Chain(Key{name, "amd64"}).String(); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, want)
		}
	}
	if s.Chain(Key{"other", "amd64"}) != nil || s.Find(Key{"other", "amd64"}) != nil {
		t.Error("found what is not there")
	}
}

func TestConfigureOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		pkgs []string
		want string
	}{
		{"dependencies first, then names", []string{"a 1; Depends: z", "b 1", "z 1; Pre-Depends: y", "y 1"}, "b y z a"},
		{"essential packages and what they need as early as can be", []string{"a 1", "base 1; Essential: yes; Depends: lib", "lib 1"}, "lib base a"},
		{"a loop by fewest open dependencies, then names", []string{"a 1; Depends: b, c", "b 1; Depends: c", "c 1; Depends: a"}, "b a c"},
		{"a loop never against Pre-Depends", []string{"a 1; Pre-Depends: b", "b 1; Depends: a"}, "b a"},
		{"a loop of Pre-Depends all the same", []string{"a 1; Pre-Depends: b", "b 1; Pre-Depends: a"}, "a b"},
		{"what hangs on a loop after it", []string{"a 1; Depends: b", "b 1; Depends: c", "c 1; Depends: b; Pre-Depends: d", "d 1"}, "d b c a"},
		{"providers and alternatives", []string{"a 1; Depends: none | v", "z 1; Provides: v"}, "z a"},
		{"what another architecture serves", []string{"a 1 all; Depends: b", "b 1; Multi-Arch: foreign", "c 1 i386; Depends: b"}, "b a c:i386"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pkgs []debian.Package
			for _, p := range packages(t, tt.pkgs...) {
				pkgs = append(pkgs, *p)
			}
			for range 2 {
				var got []string
				for _, p := range ConfigureOrder(pkgs) {
					n := p.Name
					if p.Architecture == "i386" {
						n += ":i386"
					}
					got = append(got, n)
				}
				if s := strings.Join(got, " "); s != tt.want {
					t.Errorf("got  %s\nwant %s", s, tt.want)
				}
				slices.Reverse(pkgs)
			}
		})
	}
}

func TestClosure(t *testing.T) {
	var pkgs []debian.Package
	for _, p := range packages(t,
		"z 1", "base 1; Essential: yes; Depends: lib | z", "lib 1; Pre-Depends: awk", "mawk 1; Provides: awk", "sh 1; Priority: required; Depends: gone", "a 1; Depends: base") {
		pkgs = append(pkgs, *p)
	}
	var got []string
	for _, p := range Closure(pkgs, func(p *debian.Package) bool { return p.Essential || p.Priority == "required" }) {
		got = append(got, p.Name)
	}
	if s := strings.Join(got, " "); s != "base lib mawk sh" {
		t.Errorf("got %s", s)
	}
}

// TestSolveGivesUp asks for more pigeons than there are holes, which no
// learning of clauses masters; an archive must not be able to hang Stet so.
func TestSolveGivesUp(t *testing.T) {
	const holes = 12
	var lines, pigeons []string
	for i := range holes + 1 {
		var in []string
		for j := range holes {
			name := fmt.Sprintf("p%d-in-%d", i, j)
			in = append(in, name)
			lines = append(lines, fmt.Sprintf("%s 1; Provides: hole%d; Conflicts: hole%d", name, j, j))
		}
		name := fmt.Sprintf("pigeon%d", i)
		pigeons = append(pigeons, name)
		lines = append(lines, name+" 1; Depends: "+strings.Join(in, " | "))
	}
	u := NewUniverse(Group{Packages: packages(t, lines...)})
	start := time.Now()
	_, err := Solve(u, Request{Wants: wants(pigeons...), Architecture: "amd64"})
	if !errors.Is(err, ErrTooHard) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("gave up only after %v", d)
	}
	if _, err := Solve(u, Request{Wants: wants(pigeons[:holes]...), Architecture: "amd64"}); err != nil {
		t.Errorf("with enough holes: %v", err)
	}
}
