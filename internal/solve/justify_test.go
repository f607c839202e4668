package solve

import (
	"testing"
)

func TestReasons(t *testing.T) {
	u := NewUniverse(Group{Catalogs: catalogs(packages(t,
		"nginx 1; Depends: libc, helper | other; Recommends: doc", "helper 1; Pre-Depends: tool", "tool 1", "doc 1; Depends: viewer", "viewer 1; Depends: libc",
		"libc 1; Essential: yes", "init 1; Priority: important; Depends: awk", "mawk 1; Provides: awk",
	))})
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
