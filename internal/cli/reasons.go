package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"stet/internal/machine"
	"stet/internal/solve"
	"stet/internal/term"
)

// lockMachine is what a machine gets, with reasons: `stet lock --dry-run --json`.
type lockMachine struct {
	Name     string          `json:"name"`
	Packages []lockedPackage `json:"packages"`
}

type lockedPackage struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	Reason       string `json:"reason"`
	// Via is the shortest way from a wish to the package: the wished package
	// first, then what each needs. It is empty when the package is wished.
	Via []string `json:"via,omitempty"`

	title string // what people see: the name, and a foreign architecture
}

// machineReasons tells of every machine why each of its packages is there.
func machineReasons(machines map[string]*machine.Machine, solutions map[string]*solve.Solution) []lockMachine {
	var all []lockMachine
	for _, name := range slices.Sorted(maps.Keys(solutions)) {
		solution, native := solutions[name], machines[name].Debian.Architecture
		m := lockMachine{Name: name, Packages: []lockedPackage{}}
		for i := range solution.Packages {
			p := &solution.Packages[i]
			locked := lockedPackage{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Reason: reasonText(p.Reason, native), title: qualified(solve.KeyOf(&p.Package), native)}
			if chain := solution.Chain(solve.KeyOf(&p.Package)); len(chain) > 1 {
				for _, step := range chain[:len(chain)-1] {
					locked.Via = append(locked.Via, qualified(solve.KeyOf(&step.Package), native))
				}
			}
			m.Packages = append(m.Packages, locked)
		}
		all = append(all, m)
	}
	return all
}

// reasonText says in Debian's words why a package is there.
func reasonText(r solve.Reason, native string) string {
	switch r.Kind {
	case solve.Wish:
		return "wanted by " + r.Because
	case solve.Essential:
		return "Essential"
	case solve.Priority:
		return "Priority: " + r.Because
	}
	return fmt.Sprintf("%s of %s: %s", r.Kind, qualified(r.By, native), r.Relation)
}

// qualified is a package's name, with its architecture when that is foreign.
func qualified(k solve.Key, native string) string {
	if k.Architecture == native || k.Architecture == "all" {
		return k.Name
	}
	return k.String()
}

func (a *app) printReasons(machines []lockMachine) {
	for _, m := range machines {
		var rows [][]string
		for _, p := range m.Packages {
			rows = append(rows, []string{"  " + p.title, p.Version, p.Reason, strings.Join(p.Via, " → ")})
		}
		fmt.Fprintf(a.Stdout, "%s:\n", m.Name)
		term.Table(a.Stdout, rows)
	}
}
