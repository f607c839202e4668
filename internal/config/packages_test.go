package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSwitchesOfTheSolver(t *testing.T) {
	m := load(t, FileName, `name: a
debian: {recommends: true, foreign_architectures: [i386]}
packages: {steam-libs: {recommends: false}, "libgl1:i386": {}, "libc6:amd64": {}, "hello:armhf": {}, "zsh:native": {}}
exclude: [snapd, "exim4:i386"]
`).Machines["a"]
	if !m.Debian.Recommends {
		t.Error("debian.recommends is off")
	}
	// A package of a foreign architecture implies it; the own one is not foreign.
	if diff := cmp.Diff([]string{"armhf", "i386"}, m.Debian.ForeignArchitectures); diff != "" {
		t.Error(diff)
	}
	if r := m.Packages["steam-libs"].Recommends; r == nil || *r {
		t.Errorf("steam-libs: %v", r)
	}
	if r := m.Packages["libgl1:i386"].Recommends; r != nil {
		t.Errorf("libgl1:i386: %v", *r)
	}
	if diff := cmp.Diff(map[string]string{"snapd": "", "exim4:i386": ""}, m.Exclude); diff != "" {
		t.Error(diff)
	}
}

func TestSwitchesOfTheSolverAreOff(t *testing.T) {
	m := load(t, FileName, "name: a\n").Machines["a"]
	if m.Debian.Recommends || len(m.Debian.ForeignArchitectures) > 0 || len(m.Exclude) > 0 {
		t.Errorf("%+v, %v", m.Debian, m.Exclude)
	}
}

func TestModulesMayExcludeAndRecommend(t *testing.T) {
	all := load(t, "a.cue", `package stet
#Machine: {
	exclude: "exim4-base": because: "module mail": true
	packages: postfix: {because: "module mail": true, recommends: *true | _}
}
machines: a: exclude: snapd: {}
machines: b: packages: postfix: recommends: false
`)
	if diff := cmp.Diff(map[string]string{"exim4-base": "module mail", "snapd": ""}, all.Machines["a"].Exclude); diff != "" {
		t.Error(diff)
	}
	if r := all.Machines["a"].Packages["postfix"].Recommends; r == nil || !*r {
		t.Errorf("a: %v", r)
	}
	if r := all.Machines["b"].Packages["postfix"].Recommends; r == nil || *r {
		t.Errorf("b: %v", r)
	}
}

func TestWrongSwitchesOfTheSolver(t *testing.T) {
	for text, want := range map[string]string{
		"debian: {recommends: yes please}":         "debian.recommends: expected true or false",
		"debian: {foreign_architectures: [I386]}":  `expected an architecture, such as i386, found "I386"`,
		"debian: {foreign_architectures: [all]}":   `expected an architecture, such as i386, found "all"`,
		"packages: {xz: {recommend: true}}":        "packages.xz.recommend: unknown option",
		"exclude: [Snapd]":                         `expected a Debian package name`,
		"packages: ['x:all']":                      `expected a Debian package name`,
		"exclude: {snapd: {recommends: true}}":     "unknown option",
		"debian: {foreign_architecture: [i386]}":   "debian.foreign_architecture: unknown option",
		"packages: {curl: {recommends: 'always'}}": "packages.curl.recommends: expected true or false",
	} {
		_, err := Load(t.Context(), repository(t, FileName, "name: a\n"+text+"\n"))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v", text, err)
		} else if got := err.Error(); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}
