package system

import (
	"errors"
	"fmt"
	"strings"

	"stet/internal/tree"
)

// Misfit says that what a machine declares does not fit what its packages
// have. Only they can tell, so that it is found when the machine is built.
type Misfit struct {
	Option  []string // its path in the configuration: "units", "web.service"
	Problem string
	Remedy  string
	Value   string   // of the option, when it is one of a kind
	Known   []string // what is there of that kind
}

// Error implements error.
func (m *Misfit) Error() string {
	text := m.Problem
	if m.Remedy != "" {
		text += ": " + m.Remedy
	}
	if len(m.Option) > 0 {
		text = strings.Join(m.Option, ".") + ": " + text
	}
	return text
}

// misfit makes one whose option is still to be told.
func misfit(remedy, problem string, args ...any) error {
	return &Misfit{Problem: fmt.Sprintf(problem, args...), Remedy: remedy}
}

// at tells the option that an error is of.
func at(err error, option ...string) error {
	var m *Misfit
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		m.Option = append(option, m.Option...)
		return m
	}
	return fmt.Errorf("%s: %w", strings.Join(option, "."), err)
}

// filesBelow names the files below a directory, as seen from it.
func filesBelow(t *tree.Tree, dir string) []string {
	var names []string
	for e := range t.Below(dir) {
		if e.Type != tree.Directory {
			names = append(names, strings.TrimPrefix(e.Path, dir+"/"))
		}
	}
	return names
}
