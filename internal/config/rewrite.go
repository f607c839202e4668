package config

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// Rewrite writes the stet.yaml of a repository as a CUE file, to stand beside
// the others, which declares the same machine with the same comments. Its error
// is a [Problems] when the configuration is wrong.
func Rewrite(ctx context.Context, dir string) (text []byte, machine string, err error) {
	t, err := read(dir)
	if err != nil {
		return nil, "", err
	}
	if t.yaml == nil {
		return nil, "", fmt.Errorf("%s: %w", dir, ErrNone)
	}
	before, err := t.evaluate(ctx, "", DefaultLimit())
	if err != nil {
		return nil, "", err
	}
	if text, err = rewrite(t.yaml, before); err != nil {
		return nil, "", err
	}
	// What it comes to is looked at before anybody relies on it.
	machine = before.machine.Name
	file := cueFile{machine + ".cue", text}
	tree, problems := parse(file, newPlaces())
	if len(problems) > 0 {
		return nil, "", fmt.Errorf("rewrite %s: %w", FileName, problems)
	}
	t.files, t.outlines = append(t.files, file), append(t.outlines, outlineOf(tree, text))
	after, err := t.evaluate(ctx, machine, DefaultLimit())
	if err != nil {
		return nil, "", fmt.Errorf("rewrite %s: %w", FileName, err)
	}
	if after.machine.Digest() != before.machine.Digest() {
		return nil, "", fmt.Errorf("rewrite %s: the machine would be another one: this is a mistake of Stet", FileName)
	}
	return text, machine, nil
}

// rewrite writes YAML that e was evaluated from as CUE.
func rewrite(text []byte, e *evaluation) ([]byte, error) {
	where := newPlaces()
	tree, err := parseYAML(FileName, text, where)
	if err != nil {
		return nil, err
	}
	var problems Problems
	sets(tree, e.language.machine, where, &problems)
	w := rewriter{notes: commentsOf(text)}
	body := w.block(tree, 0)
	above := w.above
	if len(w.notes) > 0 { // below everything
		above = append(above, w.notes...)
	}
	formatted, err := format.Node(body, format.Simplify())
	if err != nil {
		return nil, fmt.Errorf("rewrite %s: %w", FileName, err)
	}
	var out bytes.Buffer
	out.WriteString("package stet\n\n")
	for _, n := range above {
		out.WriteString(n.comment() + "\n")
	}
	label, err := format.Node(ast.NewString(e.machine.Name))
	if err != nil {
		return nil, fmt.Errorf("rewrite %s: %w", FileName, err)
	}
	if ast.IsValidIdent(e.machine.Name) {
		label = []byte(e.machine.Name)
	}
	fmt.Fprintf(&out, "machines: %s: %s\n", label, formatted)
	return out.Bytes(), nil
}

// note is a comment of a YAML text.
type note struct {
	line   int // of the text
	text   string
	behind bool // it follows something on its line
}

// commentsOf finds the comments of a YAML text that has been parsed: "#" begins
// one at the start of a line or after a space, but not in quotes or in a block
// of text.
func commentsOf(text []byte) []note {
	var notes []note
	quote := byte(0)
	block := -1 // the indentation of the line that a block of text hangs on
	line := 0
	for raw := range bytes.Lines(text) {
		line++
		s := strings.TrimRight(string(raw), "\r\n")
		indent := len(s) - len(strings.TrimLeft(s, " "))
		if block >= 0 && quote == 0 {
			if strings.TrimSpace(s) == "" || indent > block {
				continue
			}
			block = -1
		}
		end := len(s)
		for i := 0; i < len(s); i++ {
			c := s[i]
			switch {
			case quote == '"' && c == '\\':
				i++
			case quote == '\'' && c == quote && strings.HasPrefix(s[i+1:], "'"):
				i++
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t'):
				notes = append(notes, note{line, strings.TrimRight(strings.TrimPrefix(s[i+1:], " "), " \t"), strings.TrimSpace(s[:i]) != ""})
				end = i
				i = len(s)
			case (c == '"' || c == '\'') && opensQuote(s[:i]):
				quote = c
			}
		}
		if quote == 0 && opensBlock(s[:end]) {
			block = indent
		}
	}
	return notes
}

// opensQuote says whether a quote after this begins a text, and is no part of
// one.
func opensQuote(before string) bool {
	before = strings.TrimRight(before, " \t")
	if before == "" {
		return true
	}
	last := before[len(before)-1]
	return strings.IndexByte("[{,:-?", last) >= 0 || strings.LastIndexAny(before, "&!") > strings.LastIndexAny(before, " \t:")
}

// opensBlock says whether a line ends in the mark of a block of text, | or >.
func opensBlock(s string) bool {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return false
	}
	last := strings.TrimRight(fields[len(fields)-1], "+-0123456789")
	return (last == "|" || last == ">") && (len(fields) == 1 || strings.HasSuffix(fields[len(fields)-2], ":") || fields[len(fields)-2] == "-" || strings.HasPrefix(fields[len(fields)-2], "&") || strings.HasPrefix(fields[len(fields)-2], "!"))
}

func (n note) comment() string {
	if n.text == "" {
		return "//"
	}
	return "// " + n.text
}

// rewriter makes syntax without positions, which the formatter lays out, and
// puts the comments back to what they stood at.
type rewriter struct {
	notes   []note
	above   []note // of the machine as a whole
	hoisted []note // of the only field of the block that was rewritten last
}

// take gives the comments above a line, and those behind it.
func (w *rewriter) take(line int) (above, behind []note) {
	var left []note
	for _, n := range w.notes {
		switch {
		case n.line < line || n.line == line && !n.behind:
			above = append(above, n)
		case n.line == line:
			behind = append(behind, n)
		default:
			left = append(left, n)
		}
	}
	w.notes = left
	return above, behind
}

// group makes notes a comment above something.
func group(notes []note, apart token.RelPos) *ast.CommentGroup {
	g := &ast.CommentGroup{Doc: true}
	for _, n := range notes {
		g.List = append(g.List, &ast.Comment{Slash: apart.Pos(), Text: n.comment()})
		apart = token.Newline
	}
	return g
}

// block rewrites a struct. What stands above or behind a field becomes its
// comment; the machine's name becomes the key, outside.
func (w *rewriter) block(of *ast.StructLit, depth int) *ast.StructLit {
	made := &ast.StructLit{}
	for _, elt := range of.Elts {
		field, ok := elt.(*ast.Field)
		if !ok {
			continue
		}
		name := labelName(field.Label)
		above, behind := w.take(field.Label.Pos().Line())
		notes := append(above, behind...)
		if depth == 0 && name == "name" {
			w.above = append(w.above, notes...)
			continue
		}
		f := &ast.Field{Label: ast.NewString(name)}
		if ast.IsValidIdent(name) && !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, "#") {
			f.Label = ast.NewIdent(name)
		}
		f.Value = w.value(field.Value, depth+1)
		notes = append(notes, w.hoisted...)
		w.hoisted = nil
		// A block of one field is written in a line: what is said of the field is
		// said above the line.
		if depth > 0 && len(of.Elts) == 1 {
			w.hoisted = notes
			notes = nil
		}
		apart := token.Newline
		if depth == 0 && len(made.Elts) > 0 && len(notes) > 0 {
			apart = token.NewSection
		}
		if len(notes) > 0 {
			ast.AddComment(f, group(notes, apart))
		}
		made.Elts = append(made.Elts, f)
	}
	return made
}

func (w *rewriter) value(of ast.Expr, depth int) ast.Expr {
	switch x := of.(type) {
	case *ast.StructLit:
		return w.block(x, depth)
	case *ast.ListLit:
		made := &ast.ListLit{}
		for _, elt := range x.Elts {
			line := elt.Pos().Line()
			above, behind := w.take(line)
			value := w.value(elt, depth)
			behind = append(behind, w.hoisted...)
			w.hoisted = nil
			if notes := append(above, behind...); len(notes) > 0 {
				ast.AddComment(value, group(notes, token.Newline))
			}
			made.Elts = append(made.Elts, value)
		}
		return made
	case *ast.BasicLit:
		return &ast.BasicLit{Kind: x.Kind, Value: plainLiteral(x)}
	case *ast.UnaryExpr:
		return &ast.UnaryExpr{Op: x.Op, X: w.value(x.X, depth)}
	}
	return of
}

// plainLiteral writes a text of several lines as such, and all else in a line.
func plainLiteral(x *ast.BasicLit) string {
	if x.Kind != token.STRING {
		return x.Value
	}
	text, err := literal.Unquote(x.Value)
	if err != nil {
		return x.Value
	}
	if strings.Count(text, "\n") > 1 {
		return literal.String.WithTabIndent(1).WithOptionalTabIndent(1).Quote(text)
	}
	return literal.String.Quote(text)
}
