package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stet/internal/plan"
	"stet/internal/residue"
	"stet/internal/tree"
	"stet/internal/unit"
)

// Kind is what sort of thing differs.
type Kind string

// The kinds, in the order in which they are told. A person reads the first three lines,
// so these are about who may get in, what can be reached from elsewhere, and what runs,
// now or later, that nobody wrote down; before all a system that is no longer whole.
// What lies there, or has another value, comes after it: it does nothing by itself, and
// differences of text are long. What only a start brings, or takes away, is last.
const (
	Damage    Kind = "damage" // of the system itself, which only reading all of it finds
	User      Kind = "user"
	Group     Kind = "group"
	Port      Kind = "port"
	Unit      Kind = "unit"
	Scheduled Kind = "scheduled"
	Module    Kind = "kernel module"
	Boot      Kind = "boot"
	Mount     Kind = "mount"
	File      Kind = "file"
	Software  Kind = "software" // in /usr/local and /opt
	State     Kind = "state"    // a link of Stet's in /var
	Variable  Kind = "sysctl"
	Parameter Kind = "kernel parameter"
)

// Kinds gives all of them, in their order.
func Kinds() []Kind {
	return []Kind{Damage, User, Group, Port, Unit, Scheduled, Module, Boot, Mount, File, Software, State, Variable, Parameter}
}

// Finding is one thing that differs.
type Finding struct {
	Kind   Kind        `json:"kind"`
	Name   string      `json:"name"`
	Change plan.Change `json:"change"`
	Path   string      `json:"path,omitempty"` // of the file that makes it so
	What   string      `json:"what,omitempty"` // in words
	Diff   string      `json:"diff,omitempty"`
	Hidden string      `json:"hidden,omitempty"` // why a file has no diff
	Since  time.Time   `json:"since,omitzero"`   // zero: nobody knows
	Undone string      `json:"undone"`           // what undoing it would do
	Stops  string      `json:"stops,omitempty"`  // the unit whose end undoes it
	Unit   string      `json:"unit,omitempty"`   // whose a port is
	Remedy string      `json:"remedy,omitempty"` // what undoes it, where an undo does not
	Until  string      `json:"until,omitempty"`  // when it goes by itself
	Noise  string      `json:"noise,omitempty"`  // why it is no deviation: software does so, or the machine is to keep it

	// Idle is what nobody gets in by, and nothing runs by, of a kind by which they do.
	Idle bool `json:"-"`
}

// Compare orders findings as they are told: by kind, what is idle after all others,
// and then what is beside the declared before what of the declared is another, and
// that before what is missing. Files are by path, because what is in one directory
// belongs together.
func Compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(idle(a), idle(b)), cmp.Compare(slices.Index(Kinds(), a.Kind), slices.Index(Kinds(), b.Kind)),
		cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path),
	)
}

func idle(f Finding) int {
	if f.Idle {
		return 1
	}
	return 0
}

// rank orders the findings of one kind.
func rank(f Finding) int {
	switch {
	case f.Kind == File:
		return 0
	case f.Kind == Port && strings.HasSuffix(f.What, onlyHere):
		return 1
	}
	return slices.Index([]plan.Change{plan.Added, plan.Modified, plan.Deleted}, f.Change)
}

// When something goes by itself.
const (
	nextStart     = "next start or switch" // /etc is made anew
	nextFullStart = "next start"
)

// Find compares. Findings are in the order of [Compare]. What software does by
// design, and what the machine is to keep, is noise.
func Find(store plan.Store, running plan.System, seen *Seen) (found, noise []Finding, err error) {
	declared, err := plan.ReadDeclared(store, running)
	if err != nil {
		return nil, nil, err
	}
	f := &finder{seen: seen, declared: declared}
	if f.known, err = residue.BuiltinNoise(); err != nil {
		return nil, nil, err
	}
	if f.files, err = plan.UnitFiles(store, running); err != nil {
		return nil, nil, err
	}
	if f.etc, err = store.Tree(running.Trees["etc"]); err != nil {
		return nil, nil, fmt.Errorf("etc tree of system %.12s: %w", running.Digest, err)
	}
	if err := f.changes(store, running); err != nil {
		return nil, nil, err
	}
	f.units()
	f.runtime()
	f.users()
	f.groups()
	f.ports()
	f.software()
	f.schedules()
	f.mounts()
	f.boot()
	f.links()
	f.modules()
	f.variables()
	f.parameters()
	slices.SortStableFunc(f.found, Compare)
	for _, n := range f.found {
		if n.Noise == "" {
			found = append(found, n)
		} else {
			noise = append(noise, n)
		}
	}
	return found, noise, nil
}

type finder struct {
	seen     *Seen
	declared *plan.Declared
	etc      *tree.Tree
	files    unit.Files // of the trees
	known    *residue.Noise
	found    []Finding
}

func (f *finder) note(n Finding) { f.noteOf(n, "") }

// noteOf notes what is of a program, of a type of file system, or a file that differs so.
func (f *finder) noteOf(n Finding, of string) {
	if n.Noise == "" {
		n.Noise = f.known.Why(string(n.Kind), n.Name, of)
	}
	f.found = append(f.found, n)
}
