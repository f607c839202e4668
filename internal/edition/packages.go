package edition

import (
	"context"
	"slices"

	"stet/internal/adopt"
	"stet/internal/edit"
)

// packages is the option with the set of those that are wanted.
var packages = []string{"packages"}

// Want adds packages to those that the machine wants. One that a person wants
// already, in whatever version, is no change.
func (e Edition) Want(ctx context.Context, names []string) ([]File, error) {
	owner := e.owner()
	var changes []edit.Change
	for _, name := range names {
		if owner(packages[0], name) != adopt.Person {
			changes = append(changes, edit.Add(packages, name))
		}
	}
	return e.Edit(ctx, changes)
}

// WantNoMore takes packages out of those that the machine wants.
func (e Edition) WantNoMore(ctx context.Context, names []string) ([]File, error) {
	var changes []edit.Change
	for _, name := range names {
		// A list says where a package comes from together with its name.
		p := e.Configuration.Machines[e.Machine].Packages[name]
		for _, written := range slices.Compact([]string{name, name + "/" + p.Suite, name + "=" + p.Version}) {
			changes = append(changes, edit.Drop(packages, written))
		}
	}
	return e.Edit(ctx, changes)
}
