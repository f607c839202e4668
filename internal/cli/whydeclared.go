package cli

import (
	"context"

	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/source"
)

// declaration is what is known of how a machine was declared.
type declaration interface {
	// find gives the options that a word may mean.
	find(word string) []string
	// causes follow an option to what a person wrote.
	causes(ctx context.Context, option string) ([]whyCause, error)
	// wants says whether an option wants a package.
	wants(name string) bool
	// hasInBase says whether packages of a priority are there before anything is
	// declared.
	hasInBase(priority string) bool
}

// written is a declaration that was evaluated.
type written struct {
	*config.Configuration
	machine *machine.Machine
	blame   func(context.Context, config.Place) (source.Line, error)
}

func (w written) find(word string) []string { return w.Find(w.machine.Name, word) }

func (w written) wants(name string) bool {
	_, declared := w.machine.Packages[name]
	return declared
}

func (w written) hasInBase(priority string) bool {
	return priority == "essential" || w.machine.Base == machine.BaseStandard && (priority == "required" || priority == "important")
}

func (w written) causes(ctx context.Context, option string) ([]whyCause, error) {
	var all []whyCause
	for _, cause := range w.Causes(w.machine.Name, option) {
		c := whyCause{Cause: cause}
		if cause.Place.Line > 0 && !cause.Place.Builtin() {
			line, err := w.blame(ctx, cause.Place)
			if err != nil {
				return nil, err
			}
			c.Commit = &line
		}
		all = append(all, c)
	}
	return all, nil
}
