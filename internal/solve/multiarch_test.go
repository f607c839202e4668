package solve

import (
	"testing"
)

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
			want:     "a:amd64 (1) and a:i386 (1) cannot be installed together: without Multi-Arch: same a package is there for one architecture only; on one side: hello wants a:amd64 (1); on the other: hello wants a:i386 (1)",
		},
		{
			name:     "a conflict hits every architecture",
			universe: []string{"a 1 amd64; Conflicts: b", "b 1 i386"},
			wants:    []string{"a", "b:i386"},
			want:     "a (1) conflicts with b (1); on one side: hello wants a (1); on the other: hello wants b (1)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := NewUniverse(Group{Catalogs: catalogs(packages(t, tt.universe...))})
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
