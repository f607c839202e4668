package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stet/internal/config"
	"stet/internal/generation"
	"stet/internal/store"
)

// mapped is a declaration of which only the places of its options are left: the
// source map of a generation.
type mapped map[string]config.Place

// readSourceMap reads the one of a generation; a generation that was made of nothing
// written down has an empty one.
func readSourceMap(s *store.Store, g generation.Generation) (mapped, error) {
	if g.SourceMap.IsZero() {
		return nil, nil
	}
	text, err := s.ReadObject(g.SourceMap)
	if err != nil {
		return nil, err
	}
	var places mapped
	if err := json.Unmarshal(text, &places); err != nil {
		return nil, fmt.Errorf("read where generation %d was written: %w", g.Number, err)
	}
	return places, nil
}

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

// comparePlaces orders places; a person's files come before Stet's own.
func comparePlaces(a, b config.Place) int {
	if a.Builtin() != b.Builtin() {
		if a.Builtin() {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
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
