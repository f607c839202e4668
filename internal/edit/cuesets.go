package edit

import (
	"cuelang.org/go/cue/ast"
)

// remove takes out a key, wherever the file has it.
func (f *cueFile) remove(c Change) ([]splice, error) {
	spots := []*cueSpot{{decls: f.decls}}
	var fields []cueEntry
	for _, key := range c.path {
		before := fields
		if fields = entries(spots, key); len(fields) > 0 {
			spots = structs(fields)
			continue
		}
		for _, s := range spots {
			if by := mayHave(s.decls, key, true); by != nil {
				return nil, f.refuse(by.Pos().Offset(), c, "this may bring the entry")
			}
		}
		for _, e := range before {
			if scalar, ok := scalarOfCUE(e.Value); !ok || scalar != null {
				if _, isStruct := e.Value.(*ast.StructLit); !isStruct {
					from, _ := f.span(e.Value)
					return nil, f.refuse(from, c, "found "+foundCUE(e.Value)+" where a map is expected")
				}
			}
		}
		return nil, nil
	}
	var parts []splice
	for _, e := range fields {
		from, _ := f.span(e.Value)
		_, isStruct := e.Value.(*ast.StructLit)
		_, isList := e.Value.(*ast.ListLit)
		if _, isScalar := scalarOfCUE(e.Value); !isStruct && !isList && !isScalar {
			return nil, f.refuse(from, c, "found "+foundCUE(e.Value)+" where a plain value is expected")
		}
		part, err := f.cutField(e, c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// cutField takes a field out.
func (f *cueFile) cutField(e cueEntry, c Change) (splice, error) {
	from, to := f.span(e.Field)
	if e.in.of != nil && !e.in.inBraces() {
		return splice{from, to, "{}"}, nil
	}
	end := to
	if end < len(f.lines) && f.lines[end] == ',' {
		end++
	}
	cut, ok := f.cut(from, end, "//")
	if e.in.of == nil {
		if !ok {
			return splice{}, f.refuse(from, c, "the entry shares its lines with something else")
		}
		return cut, nil
	}
	var items []span
	at := 0
	for i, decl := range e.in.decls {
		from, to := f.span(decl)
		items = append(items, span{from, to})
		if decl == ast.Decl(e.Field) {
			at = i
		}
	}
	brackets := f.flowOf(e.in.of.Lbrace.Offset(), e.in.of.Rbrace.Offset(), items)
	if !ok {
		return brackets.remove(at), nil
	}
	if len(items) == 1 {
		cut = brackets.emptied(cut)
	}
	return cut, nil
}

// list adds a member to a list, or takes it out.
func (f *cueFile) list(fields []cueEntry, c Change) ([]splice, error) {
	if len(fields) != 1 {
		return nil, f.refuse(fields[len(fields)-1].Pos().Offset(), c, "the set is written in more than one place")
	}
	of, isList := fields[0].Value.(*ast.ListLit)
	if !isList {
		return nil, f.refuse(fields[0].Pos().Offset(), c, "this is no list")
	}
	var items []span
	for _, e := range of.Elts {
		from, to := f.span(e)
		items = append(items, span{from, to})
		switch e.(type) {
		case *ast.Ellipsis, *ast.Comprehension:
			return nil, f.refuse(from, c, "this may bring members")
		}
	}
	brackets := f.flowOf(of.Lbrack.Offset(), of.Rbrack.Offset(), items)
	brackets.newlines = false
	if c.op == add {
		w := cueWriter{oneLine: true}
		return brackets.add(w.value("", String(c.member))), nil
	}
	members := f.says.at(c.path).lists[0]
	at := member(members, c.member)
	if at < 0 {
		return nil, nil
	}
	if member(members[at+1:], c.member) >= 0 {
		return nil, f.refuse(items[at].from, c, "the member is in this list twice")
	}
	return []splice{brackets.remove(at)}, nil
}
