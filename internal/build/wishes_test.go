package build

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/machine"
	"stet/internal/solve"
)

func TestWishesNameTheQuestionAndNotItsReasons(t *testing.T) {
	with := func(change func(*machine.Machine)) string {
		m := &machine.Machine{
			Debian:   machine.Debian{Suite: "trixie", Components: []string{"main"}, Architecture: "amd64"},
			Base:     machine.BaseMinimal,
			Packages: map[string]machine.Package{"curl": {Because: "a module"}},
			Hostname: "one",
		}
		change(m)
		return wishesOf(m).digest()
	}
	plain := with(func(*machine.Machine) {})
	for name, change := range map[string]func(*machine.Machine){
		"a reason":    func(m *machine.Machine) { m.Packages["curl"] = machine.Package{Because: "another module"} },
		"a host name": func(m *machine.Machine) { m.Hostname = "two" },
	} {
		if with(change) != plain {
			t.Errorf("%s asks for other packages", name)
		}
	}
	for name, change := range map[string]func(*machine.Machine){
		"a package":              func(m *machine.Machine) { m.Packages["git"] = machine.Package{} },
		"a suite":                func(m *machine.Machine) { m.Packages["curl"] = machine.Package{Suite: "trixie-backports"} },
		"the base":               func(m *machine.Machine) { m.Base = machine.BaseStandard },
		"a Recommends":           func(m *machine.Machine) { m.Packages["curl"] = machine.Package{Recommends: new(true)} },
		"all Recommends":         func(m *machine.Machine) { m.Debian.Recommends = true },
		"an exclusion":           func(m *machine.Machine) { m.Exclude = map[string]string{"snapd": ""} },
		"a foreign architecture": func(m *machine.Machine) { m.Debian.ForeignArchitectures = []string{"i386"} },
		"a component":            func(m *machine.Machine) { m.Debian.Components = []string{"contrib", "main"} },
	} {
		if with(change) == plain {
			t.Errorf("%s asks for the same packages", name)
		}
	}
}

func TestWishesReachTheSolver(t *testing.T) {
	m := &machine.Machine{
		Debian: machine.Debian{Architecture: "amd64", ForeignArchitectures: []string{"i386"}, Recommends: true},
		Base:   machine.BaseStandard,
		Packages: map[string]machine.Package{
			"steam:i386": {Recommends: new(false)}, "nginx": {Because: "services.nginx"},
		},
		Exclude: map[string]string{"snapd": "", "exim4": "module mail"},
	}
	w := wishesOf(m)
	want := solve.Request{
		Architecture: "amd64", Essential: true, Priorities: []string{"required", "important"},
		Wants:      []solve.Want{{Name: "nginx", Because: "services.nginx"}, {Name: "steam:i386", Because: "packages"}},
		Recommends: true, RecommendsOf: map[string]bool{"steam:i386": false},
		Exclude: map[string]string{"snapd": "exclude", "exim4": "module mail"},
	}
	if diff := cmp.Diff(want, w.request(nil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"amd64", "i386"}, w.architectures()); diff != "" {
		t.Error(diff)
	}
	m.Base = machine.BaseMinimal
	if got := wishesOf(m).request(nil).Priorities; got != nil {
		t.Errorf("the minimal base has the priorities %v", got)
	}
}
