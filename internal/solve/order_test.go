package solve

import (
	"slices"
	"strings"
	"testing"

	"stet/internal/debian"
)

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
