package config

import (
	"fmt"
	"slices"
	"strings"
)

// Place is where something is written. Lines and columns count from 1, columns
// in characters. A zero Line means the whole file.
type Place struct {
	File    string `json:"file"` // relative to the repository; "stet:…" is Stet's own
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Width   int    `json:"-"` // characters to mark, at least 1 where Column is set
	Excerpt string `json:"-"` // the line's text, without its end
}

// String is file:line:column, as editors understand it.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Builtin says whether the place is in Stet's own schema or modules.
func (p Place) Builtin() bool { return strings.HasPrefix(p.File, builtinPrefix) }

// builtinPrefix marks the names of embedded CUE files.
const builtinPrefix = "stet:"

// A Problem is one thing that is wrong with a configuration.
type Problem struct {
	Place   Place   `json:"place"`
	Path    string  `json:"path,omitempty"` // users.ada.shell; empty when it is about a file
	Message string  `json:"message"`
	Remedy  string  `json:"remedy,omitempty"` // what to do about it, fit to stand beside a caret
	Others  []Place `json:"others,omitempty"` // the other places that take part in a conflict

	elements []string // Path in its parts, while Place is still to be found
}

// Error is the problem in one line, without its remedy.
func (p Problem) Error() string {
	if p.Path == "" {
		return p.Place.String() + ": " + p.Message
	}
	return p.Place.String() + ": " + p.Path + ": " + p.Message
}

// Problems are all things found wrong; never empty when used as an error.
type Problems []Problem

// Error is one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// in gives problems without a place the file they are in.
func (p Problems) in(file string) Problems {
	for i := range p {
		if p[i].Place.File == "" {
			p[i].Place.File = file
		}
	}
	return p
}

// sorted orders problems by place and drops what says the same twice.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if c := strings.Compare(a.Place.File, b.Place.File); c != 0 {
			return c
		}
		if a.Place.Line != b.Place.Line {
			return a.Place.Line - b.Place.Line
		}
		if a.Place.Column != b.Place.Column {
			return a.Place.Column - b.Place.Column
		}
		return strings.Compare(a.Path+a.Message, b.Path+b.Message)
	})
	return slices.CompactFunc(p, func(a, b Problem) bool {
		return a.Place.String() == b.Place.String() && a.Path == b.Path && a.Message == b.Message
	})
}
