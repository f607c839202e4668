package config

import (
	"strings"

	"cuelang.org/go/cue"

	"stet/internal/option"
	"stet/internal/similar"
)

// Setting is a value that something gave to an option of a machine: a file of
// the repository, a module, or the schema's decisions.
type Setting struct {
	Path  string `json:"path"`  // users.ada.shell
	Value string `json:"value"` // JSON, in a line
	Place Place  `json:"place"`
}

// Settings are the values that a machine has for an option, where they are more
// than the option's own default.
func (c *Configuration) Settings(machine string, of option.Path) []Setting {
	e := c.evaluation(machine)
	if e == nil {
		return nil
	}
	var all []Setting
	var walk func(v cue.Value, at int, path []string)
	walk = func(v cue.Value, at int, path []string) {
		if at == len(of) {
			place := e.place(path...)
			if typeFile(place.File) || place.Line == 0 {
				return
			}
			text, err := v.MarshalJSON()
			if err == nil && !(place.Builtin() && string(text) == of.Last().Value()) {
				all = append(all, Setting{PathOf(path), string(text), place})
			}
			return
		}
		if at > 0 && of[at-1].Member == of[at] {
			for _, name := range members(v) {
				inner := append(path[:len(path):len(path)], name)
				walk(lookup(v, []string{name}), at+1, inner)
			}
			return
		}
		if inner := lookup(v, []string{of[at].Name}); inner.Exists() {
			walk(inner, at+1, append(path[:len(path):len(path)], of[at].Name))
		}
	}
	walk(e.joined, 0, nil)
	return all
}

// Value is one option of an evaluated machine as JSON, with its place. The path
// is as PathOf writes it, or with slashes and dots in names where that is not
// ambiguous: files./etc/motd.text.
func (c *Configuration) Value(machine, path string) (text []byte, place Place, err error) {
	e := c.evaluation(machine)
	if e == nil {
		return nil, Place{}, ErrNone
	}
	elements, near := e.resolve(path)
	if elements == nil {
		return nil, Place{}, &UnknownPathError{Path: path, Near: near}
	}
	v := lookup(e.joined, elements)
	text, err = v.MarshalJSON()
	return text, e.place(elements...), err
}

// UnknownPathError says that a machine has nothing at a path.
type UnknownPathError struct{ Path, Near string }

func (e *UnknownPathError) Error() string { return "nothing is at " + e.Path }

// Paths completes the beginning of a path with what a machine has there.
func (c *Configuration) Paths(machine, beginning string) []string {
	e := c.evaluation(machine)
	if e == nil {
		return nil
	}
	var found []string
	var walk func(v cue.Value, path []string)
	walk = func(v cue.Value, path []string) {
		for _, name := range members(v) {
			inner := append(path[:len(path):len(path)], name)
			switch text := PathOf(inner); {
			case text != beginning && strings.HasPrefix(text, beginning):
				found = append(found, text)
			case text == beginning, strings.HasPrefix(beginning, text):
				walk(lookup(v, []string{name}), inner)
			}
		}
	}
	walk(e.joined, nil)
	return found
}

// resolve finds what a path means: at every step the longest name that there
// is. Without success it gives what the person most likely meant.
func (e *evaluation) resolve(path string) (elements []string, near string) {
	v, rest := e.joined, path
	for rest != "" {
		names := members(v)
		best, left := "", ""
		for _, name := range names {
			for _, spelt := range []string{PathOf([]string{name}), `"` + name + `"`, name, "[" + name + "]"} {
				after, ok := strings.CutPrefix(rest, spelt)
				if ok && (after == "" || after[0] == '.' || after[0] == '[') && len(name) >= len(best) && (best == "" || len(name) > len(best)) {
					best, left = name, strings.TrimPrefix(after, ".")
				}
			}
		}
		if best == "" {
			word, _, _ := strings.Cut(rest, ".")
			if found := similar.Nearest(strings.Trim(word, `"`), names); found != "" {
				near = PathOf(append(elements, found))
			}
			return nil, near
		}
		elements, rest = append(elements, best), left
		v = lookup(v, []string{best})
	}
	return elements, ""
}
