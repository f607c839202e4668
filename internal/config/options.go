package config

import (
	"encoding/json"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"

	"stet/internal/option"
)

// Options is everything that can be declared: by the schema, the built-in
// modules and those of the repository in dir. An empty dir, or one without a
// configuration, stands for none.
func Options(dir string) (*option.Option, error) {
	t := &texts{}
	if dir != "" {
		read, err := read(dir)
		if err != nil {
			return nil, err
		}
		t = read
	}
	where := newPlaces()
	language, err := compile(t, t.of(""), where)
	if err != nil {
		return nil, err
	}
	o := outliner{where}
	return o.option(language.machine, "", 0), nil
}

// outliner makes options of the schema's values.
type outliner struct{ where *places }

// deepest is how deep options may be nested; the schema needs seven levels.
const deepest = 16

func (l outliner) option(v cue.Value, name string, depth int) *option.Option {
	o := &option.Option{Name: name, Kind: option.Scalar, Doc: doc(v), Type: expectation(v), Place: l.where.label(v).String()}
	if text, given := attribute(v, "example"); given {
		o.Example = text
	}
	kind := v.IncompleteKind()
	switch {
	case depth > deepest:
	case kind == cue.StructKind || kind == cue.BottomKind:
		l.block(o, v, depth)
	case kind == cue.ListKind:
		if element, ok := item(v); ok {
			o.Kind, o.Member = option.List, l.option(element, "", depth+1)
			o.Type = "a list"
			if text, given := attribute(v, "items"); given {
				o.Type, o.Member.Type = "a list: each "+text, text
			}
		}
	}
	if o.Kind == option.Scalar {
		l.scalar(o, v)
	}
	return o
}

// block fills in the options of a struct, or the member of a map or set.
func (l outliner) block(o *option.Option, v cue.Value, depth int) {
	o.Kind = option.Block
	member, open := memberOf(v)
	_, required := options(v)
	fields, err := v.Fields(cue.Optional(true))
	for err == nil && !open && fields.Next() { // of a map, they are members that modules set
		selector := fields.Selector()
		if selector.LabelType() != cue.StringLabel || selector.ConstraintType()&cue.PatternConstraint != 0 {
			continue
		}
		inner := l.option(fields.Value(), selector.Unquoted(), depth+1)
		inner.Required = slices.Contains(required, inner.Name)
		o.Options = append(o.Options, inner)
	}
	marks, isSet := setOf(v)
	if isSet {
		o.Kind, o.Suffix = option.Set, marks != suffixes{}
	}
	if !open {
		if isSet {
			var names []string
			for _, inner := range o.Options {
				names = append(names, inner.Name)
			}
			o.Type = "a set of " + strings.Join(names, ", ")
		}
		return
	}
	if !isSet {
		o.Kind, o.Type = option.Map, "a block by names of your own"
	}
	o.Member = l.option(member, placeholder(member), depth+1)
	if rule, ok := key(member); ok {
		o.Type = map[bool]string{true: "a set of names: ", false: "by name: "}[isSet] + expectation(rule)
		if example := exampleOf(rule); example != "" && o.Member.Kind != option.Scalar {
			o.Member.Example = example
		}
	} else if text, ok := attribute(v, "keys"); ok {
		o.Type = "by name: " + text
		if o.Member.Kind != option.Scalar {
			o.Member.Example = exampleOf(v)
		}
	}
	if isSet && o.Example == "" && o.Member.Example != "" {
		o.Example = "[" + quoted(o.Member.Example) + "]"
	}
}

// scalar fills in what a text, a number or a boolean may be.
func (l outliner) scalar(o *option.Option, v cue.Value) {
	kind := v.IncompleteKind()
	for _, k := range []struct {
		kind cue.Kind
		name string
	}{{cue.StringKind, "string"}, {cue.IntKind, "integer"}, {cue.FloatKind, "number"}, {cue.BoolKind, "boolean"}, {cue.ListKind, "array"}} {
		if kind&k.kind != 0 {
			o.Types = append(o.Types, k.name)
		}
	}
	if kind == cue.StringKind {
		o.Choices = choices(v)
	}
	if d, is := v.Default(); is && d.IsConcrete() {
		if text, err := d.MarshalJSON(); err == nil && json.Valid(text) {
			o.Default = text
		}
	}
	if o.Example == "" {
		o.Example = example(v, o)
	}
}

// example makes an example of a value's description.
func example(v cue.Value, o *option.Option) string {
	other := func(all []string) string {
		for _, choice := range all {
			if o.Value() != choice && o.Value() != literal.String.Quote(choice) {
				return choice
			}
		}
		return all[0]
	}
	switch kind := v.IncompleteKind(); {
	case len(o.Choices) > 0:
		return quoted(other(o.Choices))
	case kind == cue.BoolKind && o.Type == "true":
		return "true"
	case kind == cue.BoolKind:
		return other([]string{"true", "false"})
	}
	if text := exampleOf(v); text != "" {
		if v.IncompleteKind() == cue.StringKind {
			return quoted(text)
		}
		return text
	}
	if o.Value() == `""` {
		return ""
	}
	return o.Value()
}

// exampleOf is what a description names as an example: "a day such as
// 2026-11-01, or …".
func exampleOf(v cue.Value) string {
	if text, ok := attribute(v, "example"); ok {
		return text
	}
	for _, name := range []string{"expected", "keys"} {
		text, ok := attribute(v, name)
		if !ok {
			continue
		}
		if _, text, ok = strings.Cut(text, "such as "); !ok {
			continue
		}
		for _, end := range []string{", or ", " or ", ", and ", " for "} {
			text, _, _ = strings.Cut(text, end)
		}
		return strings.Trim(text, `"`)
	}
	return ""
}

// quoted writes a text as YAML does in a line, with quotes where it needs them.
func quoted(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !(r == '_' || r == '-' || r == '.' || r == '/' || r == '+' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	number := strings.Trim(text, "0123456789.-+_xob") == ""
	if plain && !number && !slices.Contains([]string{"yes", "no", "on", "off", "true", "false", "null", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	return literal.String.Quote(text)
}

// memberOf is what the schema says of members by names of one's own.
func memberOf(v cue.Value) (cue.Value, bool) {
	if member := v.LookupPath(cue.MakePath(cue.AnyString)); member.Exists() {
		return member, true
	}
	fields, err := v.Fields(cue.Patterns(true))
	for err == nil && fields.Next() {
		if fields.Selector().ConstraintType()&cue.PatternConstraint != 0 {
			return fields.Value(), true
		}
	}
	return cue.Value{}, false
}

func attribute(v cue.Value, name string) (string, bool) {
	a := v.Attribute(name)
	if a.Err() != nil {
		return "", false
	}
	text, err := a.String(0)
	return text, err == nil && text != ""
}

// doc is what the schema's or a module's comment says of an option: what its
// type says, and not what else is said where it is set.
func doc(v cue.Value) string {
	var best *ast.CommentGroup
	for _, group := range v.Doc() {
		name := group.Pos().Filename()
		if typeFile(name) {
			best = group
			break
		}
		if best == nil && !strings.HasPrefix(name, builtinPrefix+"schema/") {
			best = group
		}
	}
	if best == nil {
		return ""
	}
	return strings.Join(strings.Fields(best.Text()), " ")
}

// placeholder is the name in the pattern of a map's members, in capitals.
func placeholder(member cue.Value) string {
	if field, ok := member.Source().(*ast.Field); ok {
		if list, ok := field.Label.(*ast.ListLit); ok && len(list.Elts) == 1 {
			if alias, ok := list.Elts[0].(*ast.Alias); ok {
				return strings.ToUpper(alias.Ident.Name)
			}
		}
	}
	return "NAME"
}
