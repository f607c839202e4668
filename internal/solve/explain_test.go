package solve

import (
	"errors"
	"testing"
)

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
			want:     "lib:amd64 (1) and lib:amd64 (2) cannot be installed together, being versions of one package; on one side: hello wants a (1); a (1) depends on lib (= 1); on the other: hello wants b (1); b (1) depends on lib (= 2)",
		},
		{
			name:     "Pre-Depends that go round",
			universe: []string{"a 1; Depends: b", "b 1; Pre-Depends: c", "c 1; Pre-Depends: d", "d 1; Pre-Depends: x | c"},
			req:      Request{Wants: wants("a")},
			want:     "c (1) pre-depends on d; d (1) pre-depends on c; in a circle none can be unpacked first",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Architecture = "amd64"
			_, err := Solve(NewUniverse(Group{Catalogs: catalogs(packages(t, tt.universe...))}), tt.req)
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
	u := NewUniverse(Group{Catalogs: catalogs(packages(t, "a 1; Depends: gone", "b 1; Conflicts: c", "c 1"))})
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
	var circle *CircleError
	u = NewUniverse(Group{Catalogs: catalogs(packages(t, "a 1; Pre-Depends: b", "b 1; Pre-Depends: a"))})
	if _, err := Solve(u, Request{Wants: wants("a"), Architecture: "amd64"}); !errors.As(err, &circle) || len(circle.Packages) != 2 {
		t.Errorf("circle: %v", err)
	}
}
