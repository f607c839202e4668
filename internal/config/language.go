package config

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"stet/modules"
	"stet/schema"
)

// language is the schema joined with the modules and the repository's own CUE
// files, in a context of its own.
type language struct {
	context *cue.Context
	root    cue.Value
	machine cue.Value   // #Machine
	files   []*ast.File // the repository's own
}

// builtins are the embedded files of the schema and the modules.
func builtins() ([]cueFile, error) {
	var files []cueFile
	// The schema comes first, and so do its options on the page of them.
	for _, of := range []struct {
		dir  string
		fsys fs.FS
	}{{"schema", schema.Files}, {"modules", modules.Files}} {
		dir, fsys := of.dir, of.fsys
		names, err := fs.Glob(fsys, "*.cue") // sorted
		if err != nil {
			return nil, fmt.Errorf("list the embedded %s: %w", dir, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("read the embedded %s: %w", dir, err)
			}
			files = append(files, cueFile{builtinPrefix + dir + "/" + name, text})
		}
	}
	return files, nil
}

// compile joins files of the repository, and the packages they import, into a
// language. A syntax tree belongs to one context, so the files are parsed anew
// each time: a millisecond for Stet's own.
func compile(r *texts, files []cueFile, where *places) (*language, error) {
	own, err := builtins()
	if err != nil {
		return nil, err
	}
	return join(own, r, files, where)
}

// join is compile, with a choice of what is built in.
func join(own []cueFile, r *texts, files []cueFile, where *places) (*language, error) {
	l := &language{}
	// instance makes what the evaluator takes of the files of one package.
	var context *build.Context
	instance := func(files []cueFile, dir string) (*build.Instance, error) {
		instance := context.NewInstance(dir, nil)
		for _, f := range files {
			tree, problems := parse(f, where)
			if len(problems) > 0 {
				return nil, problems
			}
			if err := instance.AddSyntax(tree); err != nil {
				return nil, translate(err, where, nil)
			}
			if !strings.HasPrefix(f.name, builtinPrefix) {
				l.files = append(l.files, tree)
			}
		}
		return instance, nil
	}
	context = build.NewContext(build.Loader(func(pos token.Pos, name string) *build.Instance {
		files, ok := r.packages[name]
		if !ok {
			return nil // CUE's own
		}
		imported, err := instance(files, name)
		if err == nil {
			err = imported.Complete()
		}
		if err != nil {
			imported = context.NewInstance(name, nil)
			imported.Err = errors.Promote(err, "import failed")
		}
		return imported
	}))
	whole, err := instance(append(own[:len(own):len(own)], files...), "")
	if err != nil {
		return nil, err
	}
	if err := whole.Complete(); err != nil {
		return nil, translate(err, where, nil)
	}
	l.context = cuecontext.New()
	l.root = l.context.BuildInstance(whole)
	if err := l.root.Err(); err != nil && !aboutMachines(err) {
		return nil, translate(err, where, nil)
	}
	l.machine = l.root.LookupPath(cue.MakePath(cue.Def("#Machine")))
	if err := l.machine.Err(); err != nil {
		if all := l.root.Err(); all != nil { // such as a reference to nothing
			err = all
		}
		return nil, translate(err, where, nil)
	}
	return l, nil
}

// aboutMachines says whether all of an error is below machines: such errors
// are found again, machine by machine.
func aboutMachines(err error) bool {
	for _, e := range errors.Errors(err) {
		if path := e.Path(); len(path) == 0 || path[0] != "machines" {
			return false
		}
	}
	return true
}

// optionOf finds what the schema says about one field of a struct.
func optionOf(of cue.Value, name string) (cue.Value, bool) {
	for _, selector := range []cue.Selector{cue.Str(name), cue.Str(name).Optional(), cue.Str(name).Required(), cue.AnyString} {
		if v := of.LookupPath(cue.MakePath(selector)); v.Exists() {
			return v, true
		}
	}
	return cue.Value{}, false
}

// item finds what the schema says about one element of a list.
func item(of cue.Value) (cue.Value, bool) {
	v := of.LookupPath(cue.MakePath(cue.AnyIndex))
	return v, v.Exists()
}

// key finds what the schema says about the keys of a set or map, given the
// schema of its members.
func key(member cue.Value) (cue.Value, bool) {
	v := member.LookupPath(cue.MakePath(cue.Hid("_key", ":stet")))
	return v, v.Exists()
}

// options lists the names a struct may have, with those it must have.
func options(of cue.Value) (all, required []string) {
	fields, err := of.Fields(cue.Optional(true))
	if err != nil {
		return nil, nil
	}
	for fields.Next() {
		selector := fields.Selector()
		if selector.LabelType() != cue.StringLabel || selector.ConstraintType()&cue.PatternConstraint != 0 {
			continue
		}
		name := selector.Unquoted()
		all = append(all, name)
		if selector.ConstraintType()&cue.RequiredConstraint == cue.RequiredConstraint {
			required = append(required, name)
		}
	}
	slices.Sort(all)
	return all, required
}

// suffixes are the fields of a set's member into which goes what follows a
// mark in a list's element: "name/suite" and "name=version". Empty ones say
// that the mark is part of the name.
type suffixes struct{ slash, equals string }

// setOf says whether the schema wants a set here.
func setOf(v cue.Value) (suffixes, bool) {
	attribute := v.Attribute("set")
	if attribute.Err() != nil {
		return suffixes{}, false
	}
	slash, _ := attribute.String(0)
	equals, _ := attribute.String(1)
	return suffixes{slash, equals}, true
}

// choices are the strings an enumeration allows, or nil when it is none.
func choices(v cue.Value) []string {
	op, parts := v.Expr()
	if op == cue.AndOp { // several files say something of the option
		for _, part := range parts {
			if all := choices(part); all != nil {
				return all
			}
		}
	}
	if op != cue.OrOp {
		// An enumeration of one, such as the architecture, is no disjunction.
		if s, err := v.String(); err == nil && op == cue.NoOp {
			if _, open := v.Default(); !open {
				return []string{s}
			}
		}
		return nil
	}
	var all []string
	for _, part := range parts {
		s, err := part.String()
		if err != nil || part.IncompleteKind() != cue.StringKind {
			return nil
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// expectation says in words what the schema wants here.
func expectation(v cue.Value) string {
	if attribute := v.Attribute("expected"); attribute.Err() == nil {
		if text, err := attribute.String(0); err == nil && text != "" {
			return text
		}
	}
	if all := choices(v); len(all) > 0 {
		return oneOf(all)
	}
	switch kind := v.IncompleteKind(); kind {
	case cue.BoolKind:
		if b, err := v.Bool(); err == nil {
			if _, isDefault := v.Default(); !isDefault {
				return fmt.Sprint(b)
			}
		}
		return "true or false"
	case cue.IntKind:
		return "a whole number"
	case cue.NumberKind:
		return "a number"
	case cue.StringKind:
		return "a string"
	case cue.StructKind:
		if _, ok := setOf(v); ok {
			return "a set of names"
		}
		return "a block of options"
	case cue.ListKind:
		return "a list"
	default:
		return "something else"
	}
}

// oneOf joins choices for a sentence.
func oneOf(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}
