package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
	"cuelang.org/go/encoding/yaml"
	yamlv4 "go.yaml.in/yaml/v4"
)

// maxText is the most text one configuration file may have, in bytes. A person
// writes a thousandth of it.
const maxText = 8 << 20

// maxDepth is how deep YAML may be nested; the schema needs seven levels.
const maxDepth = 64

// parseYAML reads one YAML document as CUE syntax, with its positions.
func parseYAML(name string, text []byte, where *places) (*ast.StructLit, error) {
	where.add(name, text, nil)
	if problem := unreadable(name, text, where); problem != nil {
		return nil, Problems{*problem}
	}
	decoder := yaml.NewDecoder(name, bytes.NewReader(text))
	expr, err := decoder.Extract()
	if err != nil && err != io.EOF {
		return nil, Problems{yamlProblem(name, text, err, where)}
	}
	tree, ok := expr.(*ast.StructLit)
	if !ok {
		if lit, isLit := expr.(*ast.BasicLit); err == io.EOF || expr == nil || isLit && lit.Kind == token.NULL || isEmpty(expr) {
			return nil, Problems{{Place: Place{File: name}, Message: "the file is empty", Remedy: `a machine needs at least its name: write "name: hello"`}}
		}
		return nil, Problems{{Place: where.at(expr.Pos()), Message: "expected options with values, such as \"name: hello\", found " + foundExpr(expr)}}
	}
	if second, err := decoder.Extract(); err == nil {
		place := where.at(second.Pos())
		return nil, Problems{{Place: place, Message: "a second document begins here", Remedy: "a configuration is one document: several machines are written in CUE"}}
	} else if err != io.EOF {
		return nil, Problems{yamlProblem(name, text, err, where)}
	}
	where.add(name, text, &ast.File{Filename: name, Decls: tree.Elts})
	var problems Problems
	duplicates(tree, nil, where, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	return tree, nil
}

// isEmpty recognises what the decoder makes of a file without any value.
func isEmpty(expr ast.Expr) bool {
	or, ok := expr.(*ast.BinaryExpr)
	return ok && or.Op == token.OR
}

// unreadable finds what no YAML parser should have to meet: bytes that are no
// text, and characters that steer terminals.
func unreadable(name string, text []byte, where *places) *Problem {
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		place := func() Place {
			p := where.line(name, line, column)
			p.Width, p.Excerpt = 1, strings.ToValidUTF8(p.Excerpt, "\uFFFD")
			return p
		}
		if r == utf8.RuneError && size == 1 {
			return &Problem{Place: place(), Message: fmt.Sprintf("not UTF-8 text: byte 0x%02x", text[i]), Remedy: "save the file as UTF-8"}
		}
		if unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) {
			return &Problem{Place: place(), Message: fmt.Sprintf("a control character: %U", r), Remedy: fmt.Sprintf("in double quotes it is written \\x%02x", r)}
		}
		i += size
		column += size
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^(.*?):([0-9]+): (.*)$`)

// yamlProblem gives a YAML error its place. CUE's parser has it only in words,
// and not always the right line; for syntax errors a second parser, which
// keeps marks, is asked again.
func yamlProblem(name string, text []byte, err error, where *places) Problem {
	message, line, column := err.Error(), 0, 0
	if match := yamlLine.FindStringSubmatch(message); match != nil && match[1] == name {
		line, _ = strconv.Atoi(match[2])
		message = match[3]
	} else {
		message = strings.TrimSpace(strings.TrimPrefix(message, name+":"))
	}
	problem := Problem{}
	var node yamlv4.Node
	if precise := (*yamlv4.LoadError)(nil); errors.As(yamlv4.Unmarshal(text, &node), &precise) && precise.Mark.Line > 0 {
		message, line, column = precise.Message, precise.Mark.Line, precise.Mark.Column
		switch begin := precise.ContextMark; {
		case begin.Line > 0 && strings.Contains(message, "end of stream"): // where the quote opens
			line, column = begin.Line, begin.Column
		case begin.Line > 0 && begin.Line != line:
			problem.Others = []Place{where.line(name, begin.Line, begin.Column)}
		}
	}
	lines := where.lines[name]
	if line > len(lines) || line == len(lines) && line > 1 && lines[line-1] == "" { // the end of the text
		line, column = max(1, len(lines)-1), 0
	}
	if line > 0 {
		indent := lines[line-1][:len(lines[line-1])-len(strings.TrimLeft(lines[line-1], " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 {
			place := where.line(name, line, at+1)
			place.Width = 1
			return Problem{Place: place, Message: "a tab in the indentation", Remedy: "YAML is indented with spaces"}
		}
	}
	problem.Place = where.line(name, line, column)
	problem.Message = "not YAML: " + message
	switch {
	case strings.Contains(message, "aliases expand"), strings.Contains(message, "contains itself"):
		problem.Remedy = "write out what the aliases stand for, or use CUE"
	case strings.Contains(message, "mapping values are not allowed"):
		problem.Remedy = `text with ": " in it needs quotes; options stand at one indentation`
	case strings.Contains(message, "cannot start any token"):
		problem.Remedy = "text that begins with @, ` or % needs quotes"
	case strings.Contains(message, "did not find expected key"):
		problem.Remedy = "options of one block stand at one indentation"
	case strings.Contains(message, "unexpected end of stream"):
		problem.Remedy = "a quote is not closed"
	case strings.Contains(message, "did not find expected ','"):
		problem.Remedy = "a bracket is not closed"
	}
	if trimmed := strings.TrimLeft(problem.Place.Excerpt, " "); trimmed != "" && problem.Place.Column == 0 {
		problem.Place.Column = len(problem.Place.Excerpt) - len(trimmed) + 1
		problem.Place.Width = utf8.RuneCountInString(strings.TrimRight(trimmed, " "))
	}
	return problem
}

// duplicates finds keys written twice: YAML forbids them, and CUE would join
// them in silence. It also bounds the depth.
func duplicates(node ast.Expr, path []string, where *places, problems *Problems) {
	if len(path) > maxDepth {
		*problems = append(*problems, Problem{Place: where.at(node.Pos()), Message: fmt.Sprintf("nested deeper than %d levels", maxDepth)})
		return
	}
	switch x := node.(type) {
	case *ast.StructLit:
		seen := map[string]ast.Label{}
		for _, decl := range x.Elts {
			field, ok := decl.(*ast.Field)
			if !ok {
				continue
			}
			name := labelName(field.Label)
			inner := append(path[:len(path):len(path)], name)
			if first, twice := seen[name]; twice {
				*problems = append(*problems, Problem{
					Place: where.at(field.Label.Pos()), Path: PathOf(inner),
					Message: "written twice",
					Others:  []Place{where.at(first.Pos())},
				})
				continue
			}
			seen[name] = field.Label
			duplicates(field.Value, inner, where, problems)
		}
	case *ast.ListLit:
		for i, e := range x.Elts {
			duplicates(e, append(path[:len(path):len(path)], strconv.Itoa(i)), where, problems)
		}
	}
}

// sets turns lists into sets where the schema wants sets, and keeps positions.
func sets(tree *ast.StructLit, of cue.Value, where *places, problems *Problems) {
	s := setter{where: where, problems: problems, known: map[string]*knownBlock{}}
	s.block(tree, of, "", nil)
}

// setter remembers what it asked the schema: most blocks of a large machine are
// of few kinds, and a question takes longer than all else that is done here.
type setter struct {
	where    *places
	problems *Problems
	known    map[string]*knownBlock // by path, with * for names of one's own
}

// knownBlock is what the schema says of the fields of one kind of block.
type knownBlock struct {
	fields map[string]*knownField
	member *knownField // of any other name; nil when there is none
}

type knownField struct {
	value cue.Value
	marks suffixes
	isSet bool
}

func (s setter) blockOf(of cue.Value, kind string) *knownBlock {
	if b, ok := s.known[kind]; ok {
		return b
	}
	b := &knownBlock{fields: map[string]*knownField{}}
	known := func(v cue.Value) *knownField {
		marks, isSet := setOf(v)
		return &knownField{v, marks, isSet}
	}
	if member, open := memberOf(of); open {
		b.member = known(member)
	} else {
		names, _ := options(of)
		for _, name := range names {
			if v, ok := optionOf(of, name); ok {
				b.fields[name] = known(v)
			}
		}
	}
	s.known[kind] = b
	return b
}

func (s setter) block(tree *ast.StructLit, of cue.Value, kind string, path []string) {
	known := s.blockOf(of, kind)
	for _, decl := range tree.Elts {
		field, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name := labelName(field.Label)
		child, below := known.fields[name], kind+"."+name
		if child == nil {
			child, below = known.member, kind+".*"
		}
		if child == nil {
			continue // reported when options are checked
		}
		inner := append(path[:len(path):len(path)], name)
		switch value := field.Value.(type) {
		case *ast.StructLit:
			s.block(value, child.value, below, inner)
		case *ast.ListLit:
			if child.isSet {
				set := listToSet(value, child.marks, inner, s.where, s.problems)
				s.where.labels[set] = field.Label
				field.Value = set
				continue
			}
			if element, ok := item(child.value); ok {
				for _, e := range value.Elts {
					if inside, ok := e.(*ast.StructLit); ok {
						s.block(inside, element, below+"[]", inner)
					}
				}
			}
		}
	}
}

// listToSet is {a: {}, b: {}} for [a, b]. Where marks name fields, "a/b" is
// {a: {slash: "b"}} and "a=1" is {a: {equals: "1"}}.
func listToSet(list *ast.ListLit, marks suffixes, path []string, where *places, problems *Problems) *ast.StructLit {
	set := &ast.StructLit{Lbrace: list.Lbrack, Rbrace: list.Rbrack}
	for i, e := range list.Elts {
		if s, ok := e.(*ast.StructLit); ok && len(s.Elts) == 1 { // - name: {options}
			set.Elts = append(set.Elts, s.Elts[0])
			continue
		}
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			*problems = append(*problems, Problem{
				Place: where.at(e.Pos()), Path: PathOf(append(path[:len(path):len(path)], strconv.Itoa(i))),
				Message: "expected a name, found " + foundExpr(e), Remedy: remedyQuotes(e, where),
			})
			continue
		}
		name, err := literal.Unquote(lit.Value)
		if err != nil {
			continue
		}
		member := &ast.StructLit{Lbrace: lit.ValuePos, Rbrace: lit.ValuePos}
		for _, mark := range []struct{ text, field string }{{"=", marks.equals}, {"/", marks.slash}} {
			base, rest, found := strings.Cut(name, mark.text)
			if !found || mark.field == "" {
				continue
			}
			name = base
			member.Elts = append(member.Elts, &ast.Field{
				Label: &ast.Ident{NamePos: lit.ValuePos, Name: mark.field},
				Value: &ast.BasicLit{ValuePos: lit.ValuePos, Kind: token.STRING, Value: literal.String.Quote(rest)},
			})
		}
		label := &ast.BasicLit{ValuePos: lit.ValuePos, Kind: token.STRING, Value: literal.String.Quote(name)}
		where.labels[member] = label
		set.Elts = append(set.Elts, &ast.Field{Label: label, Value: member})
	}
	return set
}

// remedyQuotes tells how to make a string of what YAML read as something else.
func remedyQuotes(e ast.Expr, where *places) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind != token.NULL {
		place := where.at(lit.Pos())
		return fmt.Sprintf("write %q", written(place))
	}
	return ""
}

// written is the text that a place marks.
func written(place Place) string {
	runes := []rune(place.Excerpt)
	if place.Column == 0 || place.Column-1 > len(runes) {
		return ""
	}
	return string(runes[place.Column-1 : min(len(runes), place.Column-1+place.Width)])
}

func labelName(label ast.Label) string {
	name, _, err := ast.LabelName(label)
	if err != nil {
		return fmt.Sprint(label)
	}
	return name
}

// foundExpr says what kind of thing syntax is.
func foundExpr(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StructLit:
		return "a block of options"
	case *ast.ListLit:
		return "a list"
	case *ast.BasicLit:
		switch x.Kind {
		case token.NULL:
			return "nothing"
		case token.STRING:
			return "the string " + x.Value
		case token.TRUE, token.FALSE:
			return x.Value
		default:
			return "the number " + x.Value
		}
	case *ast.UnaryExpr:
		return "a number"
	}
	return "something else"
}
