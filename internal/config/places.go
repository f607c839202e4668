package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// places knows the text of every file that was read, and for every value the
// label it stands behind, so that a caret can point at either.
type places struct {
	lines  map[string][]string
	labels map[ast.Node]ast.Label
	trees  map[string]*ast.File
}

func newPlaces() *places {
	return &places{lines: map[string][]string{}, labels: map[ast.Node]ast.Label{}, trees: map[string]*ast.File{}}
}

// add takes in one file: its text, and the labels of its syntax tree.
func (p *places) add(name string, text []byte, file *ast.File) {
	p.lines[name] = strings.Split(string(text), "\n")
	if file == nil {
		return
	}
	p.trees[name] = file
	ast.Walk(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Value != nil {
			p.labels[f.Value] = f.Label
		}
		return true
	}, nil)
}

// at is the place of a position, as wide as the word that begins there.
func (p *places) at(pos token.Pos) Place {
	if !pos.IsValid() {
		return Place{}
	}
	position := pos.Position()
	return p.line(position.Filename, position.Line, position.Column)
}

// line is a place given by line and column (in bytes, from 1).
func (p *places) line(file string, line, column int) Place {
	place := Place{File: file, Line: line}
	lines := p.lines[file]
	if line < 1 || line > len(lines) {
		return place
	}
	place.Excerpt = strings.TrimSuffix(lines[line-1], "\r")
	if column < 1 {
		return place
	}
	if column-1 > len(place.Excerpt) { // behind the line's end
		column = len(place.Excerpt) + 1
	}
	place.Column = utf8.RuneCountInString(place.Excerpt[:column-1]) + 1
	place.Width = max(1, utf8.RuneCountInString(word(place.Excerpt[column-1:])))
	return place
}

// word is the token a text begins with: a quoted string, or what comes before
// a space, a comma or a closing bracket.
func word(text string) string {
	if text == "" {
		return ""
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		for i := 1; i < len(text); i++ {
			if text[i] == '\\' && quote == '"' {
				i++
			} else if text[i] == quote {
				return text[:i+1]
			}
		}
		return text
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",{}[]", r)
	})
	if end < 0 {
		end = len(text)
	}
	return strings.TrimSuffix(text[:end], ":")
}

// value is the place of a value, without the label before it.
func (p *places) value(v cue.Value) Place {
	v = origin(v)
	if field, ok := v.Source().(*ast.Field); ok && field.Value != nil {
		return p.at(field.Value.Pos())
	}
	return p.at(v.Pos())
}

// label is the place of the label before a value, or of the value where there
// is none.
func (p *places) label(v cue.Value) Place {
	v = origin(v)
	source := v.Source()
	if field, ok := source.(*ast.Field); ok {
		return p.at(field.Label.Pos())
	}
	if label, ok := p.labels[source]; ok && source != nil {
		return p.at(label.Pos())
	}
	return p.at(v.Pos())
}

// origin is the part of a joined value that says the most about where it comes
// from: what a person wrote, else a module, else a decision of the schema, and
// only then the option's type.
func origin(v cue.Value) cue.Value {
	op, parts := v.Expr()
	if op != cue.AndOp {
		return v
	}
	best := v
	for i, part := range parts {
		if i == 0 || nearness(part.Pos()) < nearness(best.Pos()) {
			best = part
		}
	}
	return best
}

// typeFile says whether an embedded file only says what options may be.
func typeFile(name string) bool {
	return name == builtinPrefix+"schema/machine.cue" || name == builtinPrefix+"schema/types.cue"
}

// nearness orders files by how much a person has to do with them.
func nearness(pos token.Pos) int {
	switch name := pos.Filename(); {
	case !pos.IsValid():
		return 4
	case own(pos):
		return 0
	case strings.HasPrefix(name, builtinPrefix+"modules/"):
		return 1
	case !typeFile(name):
		return 2
	default:
		return 3
	}
}

// own says whether a position is in a file of the repository.
func own(pos token.Pos) bool {
	return pos.IsValid() && pos.Filename() != "" && !strings.HasPrefix(pos.Filename(), builtinPrefix)
}

// PathOf writes a path as people read it: users.ada.ssh_keys, tests.web[0],
// files."/etc/motd".text.
func PathOf(elements []string) string {
	var b strings.Builder
	for i, e := range elements {
		switch {
		case isIndex(e) && i > 0:
			b.WriteString("[" + e + "]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if isPlain(e) {
			b.WriteString(e)
		} else {
			b.WriteString(`"` + e + `"`)
		}
	}
	return b.String()
}

func isIndex(e string) bool {
	return e != "" && strings.Trim(e, "0123456789") == ""
}

func isPlain(e string) bool {
	return e != "" && !strings.ContainsFunc(e, func(r rune) bool {
		return !(r == '_' || r == '-' || r == '#' || unicode.IsLetter(r) || unicode.IsDigit(r))
	})
}

// unquoted turns CUE's own spelling of path elements into plain names.
func unquoted(elements []string) []string {
	out := make([]string, 0, len(elements))
	for _, e := range elements {
		if strings.HasPrefix(e, `"`) {
			if s, err := literal.Unquote(e); err == nil {
				e = s
			}
		}
		out = append(out, e)
	}
	return out
}
