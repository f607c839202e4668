package edit

import (
	"bytes"
	"strings"

	"cuelang.org/go/cue/ast"
)

// A cueSpot is a struct literal of a path, or the file.
type cueSpot struct {
	of    *ast.StructLit // nil: the file
	decls []ast.Decl
	field *ast.Field // whose value it is
	up    *cueSpot   // where that field stands
}

// inBraces says whether a struct is no short-hand, as the inner ones of a: b: 1.
func (s *cueSpot) inBraces() bool { return s.of != nil && s.of.Lbrace.IsValid() }

// A cueEntry is a field, and where it stands.
type cueEntry struct {
	*ast.Field
	in *cueSpot
}

// entries finds a key in structs.
func entries(spots []*cueSpot, key string) []cueEntry {
	var found []cueEntry
	for _, s := range spots {
		for _, decl := range s.decls {
			if field, ok := decl.(*ast.Field); ok {
				if name, ok := keyIn(field); ok && name == key {
					found = append(found, cueEntry{field, s})
				}
			}
		}
	}
	return found
}

// structs are the struct literals among the values of fields.
func structs(fields []cueEntry) []*cueSpot {
	var spots []*cueSpot
	for _, e := range fields {
		for _, part := range joined(e.Value) {
			if of, ok := part.(*ast.StructLit); ok {
				spots = append(spots, &cueSpot{of, of.Elts, e.Field, e.in})
			}
		}
	}
	return spots
}

func (f *cueFile) splices(c Change, oneLine bool) ([]splice, error) {
	w := cueWriter{oneLine: oneLine}
	if c.op == remove {
		return f.remove(c)
	}
	spots := []*cueSpot{{decls: f.decls}}
	var fields []cueEntry
	for i, key := range c.path {
		if len(spots) == 0 { // nothing, or no struct
			return f.replace(fields, within(c.path[i:], c.value), c, w)
		}
		if fields = entries(spots, key); len(fields) == 0 {
			for _, s := range spots {
				if by := mayHave(s.decls, key, false); by != nil {
					return nil, f.refuse(by.Pos().Offset(), c, "this may bring the entry, or say what it may be")
				}
			}
			return f.add(spots[0], Entry{key, within(c.path[i+1:], c.value)}, c, w)
		}
		spots = structs(fields)
	}
	switch {
	case c.op == add || c.op == drop:
		return f.list(fields, c)
	case len(spots) > 0:
		if m, isMap := c.value.(Map); isMap {
			return f.fill(spots[0], m, c, w)
		}
	}
	return f.replace(fields, c.value, c, w)
}

// replace puts a value in the place of a scalar, null or {}; a map beside what is
// only a reference, which & joins to it.
func (f *cueFile) replace(fields []cueEntry, v Value, c Change, w cueWriter) ([]splice, error) {
	if len(fields) > 1 {
		return nil, f.refuse(fields[1].Pos().Offset(), c, "the key is written in more than one place")
	}
	if len(fields) == 0 {
		return nil, f.refuse(0, c, "the file itself is no value")
	}
	field := fields[0]
	from, to := f.span(field.Value)
	scalar, isScalar := scalarOfCUE(field.Value)
	m, isMap := v.(Map)
	if isMap && refers(field.Value) {
		if w.fits(m) {
			return []splice{{to, to, " & " + w.flowMap(m)}}, nil
		}
		indent := f.indent(from)
		return []splice{{to, to, " & {\n" + w.entries(indent+"\t", m) + indent + "}"}}, nil
	}
	if of, ok := field.Value.(*ast.StructLit); ok && (len(of.Elts) > 0 || !isBlank(bytes.Trim(f.lines[from:to], "{}"))) {
		return nil, f.refuse(from, c, "found a map where one value is expected")
	} else if !ok && !isScalar {
		return nil, f.refuse(from, c, "found "+foundCUE(field.Value)+" where a plain value is expected")
	} else if !ok && isMap && scalar != null {
		return nil, f.refuse(from, c, "found a value where a map is expected")
	}
	indent := f.indent(from)
	switch old := string(f.lines[from:to]); {
	case strings.Contains(old, "\n"):
		indent = strings.TrimSuffix(f.indent(to), "\t") // of the closing quotes
	case !f.last(to, "//"):
		w.oneLine = true
	}
	return []splice{{from, to, w.value(indent, v)}}, nil
}

func foundCUE(e ast.Expr) string {
	switch e.(type) {
	case *ast.ListLit:
		return "a list"
	case *ast.BasicLit:
		return "a value"
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
		return "a reference"
	}
	return "an expression"
}

// fill puts the entries of a map into a struct without any.
func (f *cueFile) fill(s *cueSpot, m Map, c Change, w cueWriter) ([]splice, error) {
	if len(m) == 0 || s.of == nil || len(s.of.Elts) > 0 {
		return nil, f.refuse(s.of.Pos().Offset(), c, "this map is not empty")
	}
	brackets := f.flowOf(s.of.Lbrace.Offset(), s.of.Rbrace.Offset(), nil)
	outer := f.indent(brackets.open)
	switch {
	case isBlank(brackets.inside()) && (w.fits(m) || !f.last(brackets.close+1, "//")):
		entries := w.flowMap(m)
		return brackets.add(entries[1 : len(entries)-1]), nil
	case isBlank(brackets.inside()):
		return []splice{{brackets.open + 1, brackets.close, "\n" + w.entries(outer+"\t", m) + outer}}, nil
	case f.first(brackets.close):
		at := f.begin(brackets.close)
		return []splice{{at, at, w.entries(f.indent(at)+"\t", m)}}, nil
	}
	return nil, f.refuse(brackets.open, c, "the closing brace is behind a comment")
}

// add puts an entry into a struct that may have others.
func (f *cueFile) add(s *cueSpot, e Entry, c Change, w cueWriter) ([]splice, error) {
	decls := s.decls
	if len(decls) > 0 {
		if _, isEllipsis := decls[len(decls)-1].(*ast.Ellipsis); isEllipsis {
			decls = decls[:len(decls)-1]
			if len(decls) == 0 {
				return nil, f.refuse(s.of.Pos().Offset(), c, "an entry has to come before the \"...\"")
			}
		}
	}
	w.flowMaps, w.taken = f.lastMapIsFlow(decls), references(s.decls)
	switch {
	case s.of == nil:
		return f.addToFile(e, w), nil
	case !s.inBraces():
		return f.addBeside(s, e, c, w)
	case len(decls) == 0:
		return f.fill(s, Map{e}, c, w)
	}
	from, to := f.span(decls[len(decls)-1])
	if !bytes.Contains(f.lines[to:s.of.Rbrace.Offset()], []byte("\n")) {
		return []splice{{to, to, ", " + w.flowEntry(e)}}, nil
	}
	indent := f.indent(from)
	if !f.first(from) {
		indent = f.indent(s.of.Rbrace.Offset()) + "\t"
	}
	return []splice{f.insert(f.below(to, len(indent), "//"), w.entry(indent, e), false)}, nil
}

// addToFile adds a field below the others of the file.
func (f *cueFile) addToFile(e Entry, w cueWriter) []splice {
	at, apart := len(f.lines), "\n"
	if n := len(f.decls); n > 0 {
		_, to := f.span(f.decls[n-1])
		if at = f.below(to, 0, "//"); !f.last(to, "//") {
			at = len(f.lines)
		}
	}
	if at == 0 {
		apart = ""
	}
	return []splice{f.insert(at, apart+w.entry("", e), false)}
}

// addBeside adds an entry to a map in short-hand, a: b: 1: in braces where that
// is short, or else as another a: below.
func (f *cueFile) addBeside(s *cueSpot, e Entry, c Change, w cueWriter) ([]splice, error) {
	from, to := f.span(s.decls[0])
	only, isField := s.decls[0].(*ast.Field)
	if !isField || len(s.decls) > 1 {
		return nil, f.refuse(from, c, "this is no map of plain keys")
	}
	inner, isStruct := only.Value.(*ast.StructLit)
	isChain := isStruct && !inner.Lbrace.IsValid()
	item := w.flowEntry(e)
	if !isChain && !bytes.Contains(f.lines[from:to], []byte("\n")) && to-f.begin(from)+len(item) <= widest && w.fits(Map{e}) {
		return []splice{{from, from, "{"}, {to, to, ", " + item + "}"}}, nil
	}
	var keys []string
	for s.of != nil && !s.inBraces() {
		key, _ := keyIn(s.field)
		keys = append([]string{key}, keys...)
		from, to = f.span(s.field)
		s = s.up
	}
	beside := Entry{keys[0], within(keys[1:], Map{e})}
	if !f.first(from) || !f.last(to, "//") && !strings.HasPrefix(string(f.lines[to:]), ",") {
		return []splice{{to, to, ", " + w.flowEntry(beside)}}, nil
	}
	indent := f.indent(from)
	return []splice{f.insert(f.below(to, len(indent), "//"), w.entry(indent, beside), false)}, nil
}

// lastMapIsFlow says whether the last map among fields is in braces on one line.
func (f *cueFile) lastMapIsFlow(decls []ast.Decl) bool {
	for i := len(decls) - 1; i >= 0; i-- {
		if field, ok := decls[i].(*ast.Field); ok {
			if of, ok := field.Value.(*ast.StructLit); ok && len(of.Elts) > 1 {
				from, to := f.span(of)
				return !bytes.Contains(f.lines[from:to], []byte("\n"))
			}
		}
	}
	return false
}

func (f *cueFile) flowOf(open, close int, items []span) flow {
	return flow{lines: f.lines, open: open, close: close, items: items, mark: "//", unit: "\t", newlines: true}
}
