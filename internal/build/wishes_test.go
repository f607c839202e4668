package build

import (
	"testing"

	"stet/internal/machine"
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
		"a package":   func(m *machine.Machine) { m.Packages["git"] = machine.Package{} },
		"a suite":     func(m *machine.Machine) { m.Packages["curl"] = machine.Package{Suite: "trixie-backports"} },
		"the base":    func(m *machine.Machine) { m.Base = machine.BaseStandard },
		"a component": func(m *machine.Machine) { m.Debian.Components = []string{"contrib", "main"} },
	} {
		if with(change) == plain {
			t.Errorf("%s asks for the same packages", name)
		}
	}
}
