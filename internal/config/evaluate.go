package config

import (
	"fmt"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"stet/internal/machine"
)

// evaluation is one machine on its way from what was written to a value.
type evaluation struct {
	texts    *texts
	file     string // where problems without a place belong
	key      string // the key below machines, in CUE
	where    *places
	language *language
	written  cue.Value
	joined   cue.Value
	machine  *machine.Machine
	named    Place // of the machine's name

	consulted map[string]string // see remembered
	recalled  bool              // it was remembered: only the machine is known
}

// forget keeps only what a list of machines needs: the values of one machine
// take megabytes.
func (e *evaluation) forget() *evaluation {
	return &evaluation{texts: e.texts, file: e.file, key: e.key, machine: e.machine, named: e.named, consulted: e.consulted, recalled: e.recalled}
}

// run checks, joins and decodes; problems are those already found.
func (e *evaluation) run(problems Problems) (*evaluation, error) {
	var strip []string
	var implied []string
	if e.key != "" {
		strip, implied = []string{"machines", e.key}, []string{"name"}
		if !accepts(e.nameRule(), e.language.context.Encode(e.key)) {
			problems = append(problems, Problem{Place: e.where.label(e.written), Path: "machines", Message: fmt.Sprintf("expected %s, found %q", expectation(e.nameRule()), e.key)})
		}
	}
	if e.written.IncompleteKind() != cue.StructKind && e.written.Err() == nil {
		return nil, Problems{{Place: e.where.value(e.written), Path: PathOf(strip), Message: "expected a block of options, found " + found(e.written)}}
	}
	if err := e.written.Validate(cue.Concrete(false)); err != nil {
		return nil, e.failed(problems, translate(err, e.where, strip))
	}
	if undecided := e.join(); len(undecided) > 0 {
		return nil, e.failed(append(problems, undecided...), nil)
	}
	wrong := e.joined.Validate(cue.Concrete(true), cue.Final())
	if wrong != nil || len(problems) > 0 {
		// Looking for single mistakes takes longer than finding that there are any.
		check := checker{where: e.where, problems: problems}
		check.structure(e.written, e.language.machine, nil, implied...)
		if len(check.problems) > 0 {
			return nil, e.failed(check.problems, nil)
		}
		return nil, e.failed(nil, translate(wrong, e.where, strip))
	}
	problems, err := e.decode()
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, e.failed(problems, nil)
	}
	e.named = e.namePlace()
	return e, nil
}

// join unites what was written with the schema. Where both have a default, the
// written one holds: CUE alone would find neither better than the other.
func (e *evaluation) join() Problems {
	unite := func(values ...cue.Value) cue.Value {
		v := e.language.machine
		for _, other := range values {
			v = v.Unify(other)
		}
		if e.key != "" && !lookup(v, []string{"name"}).IsConcrete() {
			v = v.FillPath(cue.ParsePath("name"), e.key)
		}
		return v
	}
	e.joined = unite(e.written)
	decisions, undecided := e.decisions()
	if len(decisions.Elts) > 0 {
		e.joined = unite(e.written, e.language.context.BuildExpr(decisions))
	}
	return undecided
}

// decisions are the written defaults that the schema leaves undecided, as CUE
// with their places. Different ones for one option are a problem.
func (e *evaluation) decisions() (*ast.StructLit, Problems) {
	all := &ast.StructLit{}
	var undecided Problems
	var walk func(written cue.Value, path []string)
	walk = func(written cue.Value, path []string) {
		if written.IncompleteKind() == cue.StructKind {
			fields, err := written.Fields()
			for err == nil && fields.Next() {
				walk(fields.Value(), append(path[:len(path):len(path)], fields.Selector().Unquoted()))
			}
			return
		}
		if written.IsConcrete() && !isDisjunction(written) {
			return
		}
		defaults := writtenDefaults(written)
		if len(defaults) == 0 || lookup(e.joined, path).IsConcrete() {
			return
		}
		chosen := defaults[0]
		for _, other := range defaults[1:] {
			if !chosen.Equals(other) {
				undecided = append(undecided, Problem{
					Place: e.where.at(other.Pos()), Path: PathOf(path), Message: "has another default already: " + found(chosen),
					Remedy: "say in the machine which of them holds", Others: []Place{e.where.at(chosen.Pos())},
				})
				return
			}
		}
		if value, ok := chosen.Syntax(cue.Final()).(*ast.BasicLit); ok {
			value.ValuePos = chosen.Pos()
			add(all, path, value)
		}
	}
	walk(e.written, nil)
	return all, undecided
}

func isDisjunction(v cue.Value) bool {
	op, _ := v.Expr()
	return op == cue.OrOp || op == cue.AndOp
}

// writtenDefaults are the defaults of an option that a person wrote.
func writtenDefaults(v cue.Value) []cue.Value {
	var all []cue.Value
	op, parts := v.Expr()
	if op != cue.AndOp {
		parts = []cue.Value{v}
	}
	for _, part := range parts {
		if d, is := part.Default(); is && d.IsConcrete() && own(part.Pos()) {
			all = append(all, d)
		}
	}
	return all
}

// add puts a value at a path of a struct.
func add(to *ast.StructLit, path []string, value ast.Expr) {
	for _, name := range path[:len(path)-1] {
		var inner *ast.StructLit
		for _, elt := range to.Elts {
			if f := elt.(*ast.Field); labelName(f.Label) == name {
				inner = f.Value.(*ast.StructLit)
			}
		}
		if inner == nil {
			inner = &ast.StructLit{}
			to.Elts = append(to.Elts, &ast.Field{Label: ast.NewString(name), Value: inner})
		}
		to = inner
	}
	to.Elts = append(to.Elts, &ast.Field{Label: ast.NewString(path[len(path)-1]), Value: value})
}

func (e *evaluation) nameRule() cue.Value {
	rule, _ := optionOf(e.language.machine, "name")
	return rule
}

// failed joins problems and gives those without a place that of the nearest
// thing that was written, or the file they are in.
func (e *evaluation) failed(problems Problems, err error) error {
	if more, ok := err.(Problems); ok {
		problems = append(problems, more...)
	} else if err != nil {
		return err
	}
	for i, p := range problems {
		for n := len(p.elements); n > 0 && problems[i].Place.Line == 0; n-- {
			if e.isWritten(p.elements[:n]...) {
				problems[i].Place = e.labelled(p.elements[:n]...)
			}
		}
	}
	return withoutConsequences(problems).in(e.file).sorted()
}

// place is where an option's value was written, or what sets it.
func (e *evaluation) place(elements ...string) Place {
	v := lookup(e.written, elements)
	if !v.Exists() {
		v = lookup(e.joined, elements)
	}
	if !v.Exists() {
		return Place{File: e.file}
	}
	return e.where.value(v)
}

// isWritten says whether a person wrote this option.
func (e *evaluation) isWritten(elements ...string) bool {
	v := lookup(e.written, elements)
	return v.Exists() && own(origin(v).Pos())
}

// labelled is the place of an option's name.
func (e *evaluation) labelled(elements ...string) Place {
	v := lookup(e.written, elements)
	if !v.Exists() {
		v = lookup(e.joined, elements)
	}
	return e.where.label(v)
}

func (e *evaluation) namePlace() Place {
	if e.isWritten("name") {
		return e.place("name")
	}
	return e.where.label(e.written)
}

func lookup(v cue.Value, elements []string) cue.Value {
	for _, name := range elements {
		selector := cue.Str(name)
		if v.IncompleteKind() == cue.ListKind {
			i, err := strconv.Atoi(name)
			if err != nil {
				return cue.Value{}
			}
			selector = cue.Index(i)
		}
		v = v.LookupPath(cue.MakePath(selector))
	}
	return v
}

// members are the names below a value: fields, or the numbers of a list.
func members(v cue.Value) []string {
	var names []string
	switch v.IncompleteKind() {
	case cue.StructKind:
		fields, err := v.Fields()
		for err == nil && fields.Next() {
			names = append(names, fields.Selector().Unquoted())
		}
	case cue.ListKind:
		list, err := v.List()
		for i := 0; err == nil && list.Next(); i++ {
			names = append(names, strconv.Itoa(i))
		}
	}
	return names
}

// places walks the joined value for the places of all its parts.
func (e *evaluation) places() map[string]Place {
	all := map[string]Place{}
	var walk func(v cue.Value, path []string)
	walk = func(v cue.Value, path []string) {
		if len(path) > 0 {
			all[PathOf(path)] = e.place(path...)
		}
		for _, name := range members(v) {
			walk(lookup(v, []string{name}), append(path[:len(path):len(path)], name))
		}
	}
	walk(e.joined, nil)
	return all
}
