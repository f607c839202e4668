package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"stet/internal/similar"
)

// checker compares what a person wrote with the schema, value by value, before
// anything is joined: so every mistake is found by itself, none hides another,
// and no consequence of one is reported.
type checker struct {
	where    *places
	problems Problems
}

// structure checks the fields of a struct; implied says which required fields
// need not be written.
func (c *checker) structure(written, of cue.Value, path []string, implied ...string) {
	fields, err := written.Fields()
	if err != nil {
		return // reported when the values themselves are checked
	}
	var names []string
	labels := cuecontext.New()
	for fields.Next() {
		name := fields.Selector().Unquoted()
		names = append(names, name)
		inner := append(path[:len(path):len(path)], name)
		child, ok := optionOf(of, name)
		if !ok {
			c.unknown(fields.Value(), of, inner)
			continue
		}
		if rule, ok := key(child); ok && !accepts(rule, labels.Encode(name)) {
			c.problems = append(c.problems, Problem{
				Place: c.where.label(fields.Value()), Path: PathOf(path),
				Message: fmt.Sprintf("expected %s, found %q", expectation(rule), name),
			})
			// What the schema says of any other key still holds for the value.
			if child = of.LookupPath(cue.MakePath(cue.AnyString)); !child.Exists() {
				continue
			}
		}
		c.value(fields.Value(), child, inner)
	}
	_, required := options(of)
	for _, name := range required {
		if !slices.Contains(names, name) && !slices.Contains(implied, name) {
			place := c.where.label(written)
			if len(path) == 0 && !place.Builtin() {
				place = Place{File: place.File}
			}
			child, _ := optionOf(of, name)
			c.problems = append(c.problems, Problem{
				Place: place, Path: PathOf(path),
				Message: fmt.Sprintf("the option %q is missing", name), Remedy: "expected " + expectation(child),
			})
		}
	}
}

func (c *checker) unknown(v, of cue.Value, path []string) {
	name := path[len(path)-1]
	if attribute := of.Attribute("keys"); attribute.Err() == nil { // any name of a certain form
		expected, _ := attribute.String(0)
		c.problems = append(c.problems, Problem{
			Place: c.where.label(v), Path: PathOf(path[:len(path)-1]), Message: fmt.Sprintf("expected %s, found %q", expected, name),
		})
		return
	}
	all, _ := options(of)
	remedy := ""
	if near := similar.Nearest(name, all); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	} else if len(all) > 0 && len(all) <= 12 {
		remedy = "known here: " + strings.Join(all, ", ")
	} else if len(all) == 0 {
		remedy = "nothing can be said about a member of a set: write {}"
	} else {
		remedy = "`stet show` prints the options in use"
	}
	c.problems = append(c.problems, Problem{Place: c.where.label(v), Path: PathOf(path), Message: "unknown option", Remedy: remedy})
}

// value checks one value of any kind.
func (c *checker) value(written, of cue.Value, path []string) {
	kind, want := written.IncompleteKind(), of.IncompleteKind()
	if kind == cue.BottomKind {
		return // reported when the values themselves are checked
	}
	switch {
	case kind == cue.StructKind && (want&cue.StructKind != 0 || want == cue.BottomKind):
		// Bottom: a block whose conditions wait for a valid key.
		c.structure(written, of, path)
	case kind == cue.ListKind && want&cue.ListKind != 0:
		element, ok := item(of)
		expected, _ := attribute(of, "items")
		list, err := written.List()
		for i := 0; ok && err == nil && list.Next(); i++ {
			c.item(list.Value(), element, expected, append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	case !accepts(of, written):
		if of.IsConcrete() && of.IncompleteKind() == kind && own(of.Pos()) {
			c.contradiction(written, of, path) // a module of the repository decides
			return
		}
		c.mismatch(written, of, path)
	}
}

// item checks one element of a list. Elements have no attributes: what is
// expected of them, the list says.
func (c *checker) item(written, of cue.Value, expected string, path []string) {
	if expected == "" || written.IncompleteKind() == cue.BottomKind || accepts(of, written) {
		c.value(written, of, path)
		return
	}
	c.problems = append(c.problems, Problem{Place: c.where.value(written), Path: PathOf(path), Message: "expected " + expected + ", found " + found(written)})
}

// accepts says whether a value can be what the schema wants.
func accepts(of, v cue.Value) bool {
	if of.IncompleteKind()&v.IncompleteKind() == 0 {
		return false
	}
	return of.Unify(v).Validate(cue.Concrete(false)) == nil
}

// contradiction reports two concrete values for one option.
func (c *checker) contradiction(v, other cue.Value, path []string) {
	first := c.where.value(other)
	c.problems = append(c.problems, Problem{
		Place: c.where.value(v), Path: PathOf(path), Message: "has another value already: " + found(other),
		Remedy: overridable(first), Others: []Place{first},
	})
}

// overridable tells how a value can be made to give way.
func overridable(place Place) string {
	return fmt.Sprintf("to override it, write *%s | _ in %s:%d", written(place), place.File, place.Line)
}

func (c *checker) mismatch(v, of cue.Value, path []string) {
	place := c.where.value(v)
	if place.Line == 0 {
		place = c.where.label(v)
	}
	kind, want := v.IncompleteKind(), of.IncompleteKind()
	message := "expected " + expectation(of) + ", found " + found(v)
	if kind&cue.NumberKind != 0 && numeral(place) != "" {
		message = "expected " + expectation(of) + ", found the number " + numeral(place) // 0644, not 420
	}
	remedy := ""
	all := choices(of)
	text, _ := v.String()
	switch {
	case len(all) > 0 && kind == cue.StringKind:
		if near := similar.Nearest(text, all); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
	case kind == cue.NullKind && want&cue.StructKind != 0:
		remedy = "to take every default, write {}"
		if _, ok := setOf(of); ok {
			remedy = "write [], or take the line out"
		}
	case kind == cue.ListKind && want&cue.StructKind != 0:
		if _, ok := setOf(of); ok {
			remedy = "in CUE a set is written {a: {}, b: {}}"
		} else {
			remedy = `each has a name here: write "name: {…}" instead of "- …"`
		}
	case want == cue.StringKind && kind&(cue.NumberKind|cue.BoolKind) != 0:
		if text := numeral(place); text != "" && accepts(of, cuecontext.New().Encode(text)) {
			remedy = fmt.Sprintf("write %q", text)
		}
	case want == cue.BoolKind && slices.Contains([]string{"yes", "on", "y"}, strings.ToLower(text)):
		remedy = "write true"
	case want == cue.BoolKind && slices.Contains([]string{"no", "off", "n"}, strings.ToLower(text)):
		remedy = "write false"
	case want&cue.NumberKind != 0 && kind == cue.StringKind:
		if _, err := strconv.Atoi(text); err == nil {
			remedy = "write " + text + " without quotes"
		}
	}
	c.problems = append(c.problems, Problem{Place: place, Path: PathOf(path), Message: message, Remedy: remedy})
}

// numeral is the number or boolean as it was written (0644, not 420).
func numeral(place Place) string {
	text := written(place)
	if text == "" || strings.ContainsAny(text, "\"'") {
		return ""
	}
	return strings.TrimPrefix(text, "0o")
}

// found says in words what a person wrote.
func found(v cue.Value) string {
	const most = 60
	switch v.IncompleteKind() {
	case cue.StructKind:
		return "a block of options"
	case cue.ListKind:
		return "a list"
	case cue.NullKind:
		return "nothing"
	case cue.StringKind:
		s, err := v.String()
		if err != nil {
			return "a string"
		}
		if r := []rune(s); len(r) > most {
			s = string(r[:most]) + "…"
		}
		return fmt.Sprintf("%q", s)
	case cue.BoolKind:
		if b, err := v.Bool(); err == nil {
			return strconv.FormatBool(b)
		}
		return "a boolean"
	case cue.IntKind, cue.FloatKind, cue.NumberKind:
		if text, err := v.MarshalJSON(); err == nil {
			return "the number " + string(text)
		}
		return "a number"
	}
	return "something else"
}
