package edit

import (
	"bytes"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// cueFile is a CUE text that was parsed.
type cueFile struct {
	lines
	name      string
	decls     []ast.Decl
	says      *tree
	formatted bool // it is as cue fmt lays it out
}

func parseCUE(name string, text []byte) (document, error) {
	file, err := parser.ParseFile(name, text, parser.ParseComments)
	if err != nil {
		line, column, message := 1, 1, err.Error()
		if all := errors.Errors(err); len(all) > 0 {
			format, args := all[0].Msg()
			message = errors.Newf(token.NoPos, format, args...).Error()
			if pos := all[0].Position(); pos.IsValid() {
				line, column = lines(text).place(pos.Offset())
			}
		}
		return nil, &Error{name, line, column, nil, "not CUE: " + message, "mend it by hand"}
	}
	f := &cueFile{lines: text, name: name, decls: file.Decls, says: &tree{}}
	f.says.fields = map[string]*tree{}
	f.read(f.says, file.Decls)
	tidy, err := format.Source(text)
	f.formatted = err == nil && bytes.Equal(tidy, text)
	return f, nil
}

func (f *cueFile) tree() *tree { return f.says }

func (f *cueFile) tidy(edited []byte) []byte {
	if !f.formatted {
		return edited
	}
	tidy, err := format.Source(edited)
	if err != nil {
		return edited
	}
	return tidy
}

func (f *cueFile) refuse(at int, c Change, message string) error {
	line, column := f.place(at)
	return &Error{f.name, line, column, c.path, message, byHand}
}

// source is the text of a node, with white space as one space.
func (f *cueFile) source(n ast.Node) string {
	from, to := f.span(n)
	return strings.Join(strings.Fields(string(f.lines[from:to])), " ")
}

// span is where a node is.
func (f *cueFile) span(n ast.Node) (from, to int) {
	from = min(max(0, n.Pos().Offset()), len(f.lines))
	to = n.End().Offset()
	if field, ok := n.(*ast.Field); ok {
		if to = from; field.Value != nil {
			_, to = f.span(field.Value)
		}
		for _, attribute := range field.Attrs {
			to = max(to, attribute.End().Offset())
		}
	}
	return from, min(max(from, to), len(f.lines))
}

// read adds what declarations say.
func (f *cueFile) read(t *tree, decls []ast.Decl) {
	for _, decl := range decls {
		switch x := decl.(type) {
		case *ast.Package, *ast.CommentGroup:
			continue
		case *ast.Field:
			if name, ok := keyIn(x); ok {
				if t.fields[name] == nil {
					t.fields[name] = &tree{}
				}
				f.readValue(t.fields[name], x.Value)
				for _, attribute := range x.Attrs {
					t.fields[name].rest = append(t.fields[name].rest, attribute.Text)
				}
				continue
			}
		}
		t.rest = append(t.rest, f.source(decl))
	}
}

func (f *cueFile) readValue(t *tree, value ast.Expr) {
	switch x := value.(type) {
	case *ast.StructLit:
		if t.fields == nil {
			t.fields = map[string]*tree{}
		}
		f.read(t, x.Elts)
	case *ast.ListLit:
		items := []*tree{}
		for _, e := range x.Elts {
			item := &tree{}
			f.readValue(item, e)
			items = append(items, item)
		}
		t.lists = append(t.lists, items)
	case *ast.BinaryExpr:
		if x.Op != token.AND {
			t.scalars = append(t.scalars, "is "+f.source(value))
			return
		}
		f.readValue(t, x.X)
		f.readValue(t, x.Y)
	default:
		scalar, ok := scalarOfCUE(value)
		if !ok {
			scalar = "is " + f.source(value)
		}
		t.scalars = append(t.scalars, scalar)
	}
}

// joined are the values that & joins; or the one value that is none.
func joined(value ast.Expr) []ast.Expr {
	if x, ok := value.(*ast.BinaryExpr); ok && x.Op == token.AND {
		return slices.Concat(joined(x.X), joined(x.Y))
	}
	return []ast.Expr{value}
}

// refers says whether a value is nothing but references to others.
func refers(value ast.Expr) bool {
	return !slices.ContainsFunc(joined(value), func(part ast.Expr) bool {
		switch part.(type) {
		case *ast.Ident, *ast.SelectorExpr:
			return false
		}
		return true
	})
}

// scalarOfCUE is the normal form of a literal.
func scalarOfCUE(value ast.Expr) (string, bool) {
	switch x := value.(type) {
	case *ast.BasicLit:
		switch x.Kind {
		case token.STRING:
			if text, err := literal.Unquote(x.Value); err == nil && !strings.HasPrefix(strings.TrimLeft(x.Value, "#"), "'") {
				return textOf(text), true
			}
			return "bytes " + x.Value, true
		case token.TRUE, token.FALSE:
			return "bool " + x.Value, true
		case token.NULL:
			return null, true
		case token.INT:
			return "int " + x.Value, true
		}
		return x.Kind.String() + " " + x.Value, true
	case *ast.UnaryExpr:
		if lit, ok := x.X.(*ast.BasicLit); ok && x.Op == token.SUB && (lit.Kind == token.INT || lit.Kind == token.FLOAT) {
			kind := "int -"
			if lit.Kind == token.FLOAT {
				kind = "float -"
			}
			return kind + lit.Value, true
		}
	}
	return "", false
}

// keyIn is the name of a regular field.
func keyIn(field *ast.Field) (string, bool) {
	if field.Constraint != token.ILLEGAL {
		return "", false
	}
	return labelIn(field.Label)
}

func labelIn(label ast.Label) (string, bool) {
	switch x := label.(type) {
	case *ast.Alias:
		if inner, ok := x.Expr.(ast.Label); ok {
			return labelIn(inner)
		}
	case *ast.Ident:
		return x.Name, !strings.HasPrefix(x.Name, "_") && !strings.HasPrefix(x.Name, "#")
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			text, err := literal.Unquote(x.Value)
			return text, err == nil
		}
		return x.Value, x.Kind == token.TRUE || x.Kind == token.FALSE || x.Kind == token.NULL
	}
	return "", false
}

// mayHave finds what may bring an entry of a name, other than a field that is
// written: a comprehension, or a name that is computed. Where embedded is set,
// also what is embedded.
func mayHave(decls []ast.Decl, key string, embedded bool) ast.Node {
	i := slices.IndexFunc(decls, func(decl ast.Decl) bool { return brings(decl, key, embedded) })
	if i < 0 {
		return nil
	}
	return decls[i]
}

func brings(decl ast.Decl, key string, embedded bool) bool {
	switch x := decl.(type) {
	case *ast.Comprehension:
		body, ok := x.Value.(*ast.StructLit)
		return !ok || slices.ContainsFunc(body.Elts, func(inner ast.Decl) bool {
			field, ok := inner.(*ast.Field)
			if !ok {
				return true
			}
			name, ok := keyIn(field)
			return name == key || !ok && computed(field)
		})
	case *ast.EmbedDecl:
		return embedded
	case *ast.Field:
		if _, ok := keyIn(x); ok {
			return false
		}
		name, ok := labelIn(x.Label)
		return ok && name == key || embedded && computed(x)
	}
	return false
}

// computed says whether the name of a field is found only by evaluating.
func computed(field *ast.Field) bool {
	switch field.Label.(type) {
	case *ast.Interpolation, *ast.ParenExpr:
		return true
	}
	return false
}

// references are the names that declarations refer to. A new field of such a name
// is put in quotes, so that it is not what they refer to from then on.
func references(decls []ast.Decl) map[string]bool {
	labels, names := map[ast.Node]bool{}, map[string]bool{}
	for _, decl := range decls {
		ast.Walk(decl, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Field:
				labels[x.Label] = true
			case *ast.SelectorExpr:
				labels[x.Sel] = true
			case *ast.Ident:
				if !labels[x] {
					names[x.Name] = true
				}
			}
			return true
		}, nil)
	}
	return names
}
