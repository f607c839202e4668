package edit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A tree is what a file says, however it is written. CUE may say several things
// of one path, which hold together.
type tree struct {
	scalars []string         // scalars and expressions, in their normal form
	lists   [][]*tree        // lists
	fields  map[string]*tree // what is in its maps; nil when there is none
	rest    []string         // what else its maps have: patterns, comprehensions
}

const null = "null"

// scalarOf is the normal form of a scalar.
func scalarOf(v Value) string {
	switch x := v.(type) {
	case String:
		return textOf(string(x))
	case Bool:
		return fmt.Sprint("bool ", bool(x))
	case Int:
		return fmt.Sprint("int ", int64(x))
	}
	return ""
}

func textOf(s string) string { return "str " + s }

func treeOf(v Value) *tree {
	t := &tree{}
	switch x := v.(type) {
	case Map:
		t.fields = map[string]*tree{}
		for _, e := range x {
			t.fields[e.Key] = treeOf(e.Value)
		}
	case list:
		t.lists = [][]*tree{{}}
		for _, member := range x {
			t.lists[0] = append(t.lists[0], treeOf(String(member)))
		}
	default:
		t.scalars = []string{scalarOf(v)}
	}
	return t
}

// String is the same for trees that say the same.
func (t *tree) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *tree) write(b *strings.Builder) {
	for _, s := range slices.Sorted(slices.Values(t.scalars)) {
		fmt.Fprintf(b, "%q ", s)
	}
	for _, l := range t.lists {
		b.WriteString("[")
		for _, item := range l {
			item.write(b)
			b.WriteString(", ")
		}
		b.WriteString("]")
	}
	if t.fields != nil {
		b.WriteString("{")
		for _, key := range slices.Sorted(maps.Keys(t.fields)) {
			fmt.Fprintf(b, "%q: ", key)
			t.fields[key].write(b)
			b.WriteString(", ")
		}
		b.WriteString("}")
	}
	for _, s := range slices.Sorted(slices.Values(t.rest)) {
		fmt.Fprintf(b, "+ %q ", s)
	}
}

// at is the tree below path, or nil.
func (t *tree) at(path []string) *tree {
	for _, key := range path {
		if t = t.fields[key]; t == nil {
			return nil
		}
	}
	return t
}

// isEmpty says whether there is nothing, as null or as {}.
func (t *tree) isEmpty() bool {
	return len(t.fields) == 0 && len(t.lists) == 0 && len(t.rest) == 0 && !slices.ContainsFunc(t.scalars, func(s string) bool { return s != null })
}

// member finds a member of a list: its name, or a map of that one key.
func member(items []*tree, name string) int {
	return slices.IndexFunc(items, func(item *tree) bool {
		_, has := item.fields[name]
		return slices.Equal(item.scalars, []string{textOf(name)}) || has && len(item.fields) == 1
	})
}

// clone copies a tree down to what a change may touch.
func (t *tree) clone() *tree {
	c := &tree{scalars: slices.Clone(t.scalars), rest: slices.Clone(t.rest)}
	for _, l := range t.lists {
		c.lists = append(c.lists, slices.Clone(l))
	}
	if t.fields != nil {
		c.fields = map[string]*tree{}
		for key, field := range t.fields {
			c.fields[key] = field.clone()
		}
	}
	return c
}

// with is what a file says after a step.
func (t *tree) with(c Change) *tree {
	made := t.clone()
	at := made
	path := c.path
	if c.op == remove {
		if at = made.at(path[:len(path)-1]); at != nil {
			delete(at.fields, path[len(path)-1])
		}
		return made
	}
	for _, key := range path {
		at.open()
		if at.fields[key] == nil {
			at.fields[key] = &tree{}
		}
		at = at.fields[key]
	}
	switch c.op {
	case set:
		of := treeOf(c.value)
		if of.fields != nil {
			at.open()
			maps.Copy(at.fields, of.fields)
		} else {
			*at = *of
		}
	case add:
		if len(at.lists) > 0 && member(at.lists[0], c.member) < 0 {
			at.lists[0] = append(at.lists[0], treeOf(String(c.member)))
		}
	case drop:
		if len(at.lists) > 0 {
			at.lists[0] = slices.DeleteFunc(at.lists[0], func(item *tree) bool { return member([]*tree{item}, c.member) == 0 })
		}
	}
	return made
}

// open has a tree be a map.
func (t *tree) open() {
	if t.fields == nil {
		t.fields = map[string]*tree{}
	}
	t.scalars = slices.DeleteFunc(t.scalars, func(s string) bool { return s == null })
}
