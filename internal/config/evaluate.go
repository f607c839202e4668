package config

import (
	"fmt"
	"strconv"

	"cuelang.org/go/cue"

	"stet/internal/machine"
)

// evaluation is one machine on its way from what was written to a value.
type evaluation struct {
	dir      string
	file     string // where problems without a place belong
	key      string // the key below machines, in CUE
	where    *places
	language *language
	written  cue.Value
	joined   cue.Value
	machine  *machine.Machine
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
		return nil, Problems{{Place: e.where.value(e.written), Path: pathOf(strip), Message: "expected a block of options, found " + found(e.written)}}
	}
	if err := e.written.Validate(cue.Concrete(false)); err != nil {
		return nil, e.failed(problems, translate(err, e.where, strip))
	}
	check := checker{where: e.where, problems: problems}
	check.structure(e.written, e.language.machine, nil, implied...)
	if len(check.problems) > 0 {
		return nil, e.failed(check.problems, nil)
	}

	e.joined = e.language.machine.Unify(e.written)
	if e.key != "" {
		if !lookup(e.joined, []string{"name"}).IsConcrete() {
			e.joined = e.joined.FillPath(cue.ParsePath("name"), e.key)
		}
	}
	if err := e.joined.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, e.failed(nil, translate(err, e.where, strip))
	}
	problems, err := e.decode()
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, e.failed(problems, nil)
	}
	return e, nil
}

func (e *evaluation) nameRule() cue.Value {
	rule, _ := option(e.language.machine, "name")
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

// places walks the joined value for the places of all its parts.
func (e *evaluation) places() map[string]Place {
	all := map[string]Place{}
	var walk func(v cue.Value, path []string)
	walk = func(v cue.Value, path []string) {
		if len(path) > 0 {
			all[pathOf(path)] = e.place(path...)
		}
		switch v.IncompleteKind() {
		case cue.StructKind:
			fields, err := v.Fields()
			for err == nil && fields.Next() {
				walk(fields.Value(), append(path[:len(path):len(path)], fields.Selector().Unquoted()))
			}
		case cue.ListKind:
			list, err := v.List()
			for i := 0; err == nil && list.Next(); i++ {
				walk(list.Value(), append(path[:len(path):len(path)], strconv.Itoa(i)))
			}
		}
	}
	walk(e.joined, nil)
	return all
}
