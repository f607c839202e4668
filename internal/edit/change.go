package edit

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Change is one thing that a file is to say, or no longer to say. [Set], [Add],
// [Remove] and [Drop] make one.
type Change struct {
	op     op
	path   []string
	value  Value
	member string
}

type op int

const (
	set op = iota
	add
	remove
	drop
)

// Set has value stand at path, the keys of maps from the top. Keys that are
// missing on the way are added, each as the last entry of its map. A [Map] is
// merged: its entries are set, and the others of the map that is there stay. A
// scalar replaces a scalar, nothing (null) or {}; what else is there is refused, but
// for a reference of CUE, to which & joins a map.
func Set(path []string, value Value) Change { return Change{op: set, path: path, value: value} }

// Add has member be in the set at path. A set is a list of names, or a map whose
// keys are the names; where there is none, YAML gets a list and CUE a map. In a
// list, an entry that is a map of one key counts as a member of that name.
func Add(path []string, member string) Change { return Change{op: add, path: path, member: member} }

// Remove takes the key at the end of path out of its map, with all that it has,
// and with the comment lines directly above when it stands on lines of its own.
// A map without entries stays, as {}: that a key is there may mean something.
// A key that is not there is no change.
func Remove(path []string) Change { return Change{op: remove, path: path} }

// Drop takes member out of the set at path, as [Remove] does a key. A list without
// members stays, as [].
func Drop(path []string, member string) Change { return Change{op: drop, path: path, member: member} }

// Path is where the change is made: the keys of maps from the top. It is the
// change's own.
func (c Change) Path() []string { return c.path }

// Below is the change in a file that has all of what it is about below further
// keys.
func (c Change) Below(keys ...string) Change {
	c.path = slices.Concat(keys, c.path)
	return c
}

// A Value is what can be set: a [String], [Bool], [Int] or [Map].
type Value interface{ value() }

// String is a text, in the form that reads best and reads back as the same.
type String string

// Bool is true or false.
type Bool bool

// Int is a whole number.
type Int int64

// Map is a map with its entries in order.
type Map []Entry

// Entry is one entry of a [Map].
type Entry struct {
	Key   string
	Value Value
}

// list is a set as YAML has a new one.
type list []string

func (String) value() {}
func (Bool) value()   {}
func (Int) value()    {}
func (Map) value()    {}
func (list) value()   {}

// within is value below keys.
func within(keys []string, value Value) Value {
	for i := len(keys) - 1; i >= 0; i-- {
		value = Map{{keys[i], value}}
	}
	return value
}

// An Error says which place of a file cannot be edited, and why.
type Error struct {
	File         string
	Line, Column int      // from 1, columns in characters
	Path         []string // what was to be changed
	Message      string
	Remedy       string
}

// Error is the error in one line, with its remedy.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if len(e.Path) > 0 {
		text += strings.Join(e.Path, ".") + ": "
	}
	return text + e.Message + ": " + e.Remedy
}

const byHand = "edit it by hand"

// check finds what no file could have.
func (c Change) check() string {
	if len(c.path) == 0 && c.op != add && c.op != drop {
		if _, isMap := c.value.(Map); !isMap {
			return "the whole file can be no scalar, and cannot be removed"
		}
	}
	for _, name := range append([]string{c.member}, c.path...) {
		if !utf8.ValidString(name) {
			return fmt.Sprintf("%q is not UTF-8 text", name)
		}
	}
	if c.op == set {
		return checkValue(c.value)
	}
	return ""
}

func checkValue(v Value) string {
	if v == nil {
		return "there is no value to set"
	}
	if s, isString := v.(String); isString && !utf8.ValidString(string(s)) {
		return fmt.Sprintf("%q is not UTF-8 text", s)
	}
	seen := map[string]bool{}
	m, _ := v.(Map)
	for _, e := range m {
		if !utf8.ValidString(e.Key) {
			return fmt.Sprintf("%q is not UTF-8 text", e.Key)
		}
		if seen[e.Key] {
			return fmt.Sprintf("the value has the key %q twice", e.Key)
		}
		seen[e.Key] = true
		if problem := checkValue(e.Value); problem != "" {
			return problem
		}
	}
	return ""
}
