package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// mapped is a declaration of which only the places of its options are left: the
// source map of a generation.
type mapped map[string]config.Place

// at gives the place of an option; one that only has parts is where its first part
// is.
func (m mapped) at(option string) (config.Place, bool) {
	if place, ok := m[option]; ok {
		return place, true
	}
	var parts []config.Place
	for path, place := range m {
		if strings.HasPrefix(path, option+".") || strings.HasPrefix(path, option+"[") {
			parts = append(parts, place)
		}
	}
	if len(parts) == 0 {
		return config.Place{}, false
	}
	return slices.MinFunc(parts, comparePlaces), true
}

func (m mapped) find(word string) []string {
	if word == "" {
		return nil
	}
	found := map[string]bool{}
	for path := range m {
		block, _, _ := strings.Cut(path, ".")
		if strings.HasPrefix(path, "kernel.parameters.") {
			block = "kernel.parameters"
		}
		for _, option := range []string{block + "." + word, fmt.Sprintf("%s.%q", block, word), word} {
			if path == option || strings.HasPrefix(path, option+".") || strings.HasPrefix(path, option+"[") {
				found[option] = true
			}
		}
	}
	if len(found) > 1 {
		delete(found, word) // a name inside of a block is meant
	}
	return slices.Sorted(maps.Keys(found))
}

func (m mapped) causes(_ context.Context, option string) ([]whyCause, error) {
	place, _ := m.at(option)
	return []whyCause{{Cause: config.Cause{Path: option, Place: place}}}, nil
}

func (m mapped) wants(name string) bool {
	_, ok := m.at(config.PathOf([]string{"packages", name}))
	return ok
}

// hasInBase takes the base for the standard one: which it is, a place does not tell.
func (m mapped) hasInBase(priority string) bool {
	return priority == "essential" || priority == "required" || priority == "important"
}
