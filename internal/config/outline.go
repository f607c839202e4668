package config

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// outline is what one CUE file says of which machine. Each machine is evaluated
// without the others, unless it refers to them: fifty machines then cost fifty
// times one, and a change in one of them is none in another.
type outline struct {
	entries []entry
	imports []imported
	words   map[string]bool // identifiers outside of entries
	open    bool            // machines may come out of an expression: only their evaluation names them all
}

// entry is the text that belongs to one machine alone.
type entry struct {
	machine  string
	from, to int // bytes of the file
	words    map[string]bool
}

// imported is one import, by the name that the file uses.
type imported struct {
	name     string
	from, to int // bytes of the file
}

// whole are words that may mean all machines at once.
var whole = []string{"machines", "self"}

// outlineOf finds the machines of a file.
func outlineOf(tree *ast.File, text []byte) outline {
	o := outline{words: map[string]bool{}}
	for _, decl := range tree.Decls {
		if imports, ok := decl.(*ast.ImportDecl); ok {
			o.imports = append(o.imports, importsOf(imports, text)...)
			continue
		}
		field, ok := decl.(*ast.Field)
		if !ok || !isPlainLabel(field) || labelName(field.Label) != "machines" {
			collectWords(decl, o.words)
			switch decl.(type) {
			case *ast.EmbedDecl, *ast.Comprehension, ast.Expr:
				o.open = true
			}
			continue
		}
		machines, ok := field.Value.(*ast.StructLit)
		if !ok {
			collectWords(field.Value, o.words)
			o.open = true
			continue
		}
		for _, elt := range machines.Elts {
			inner, ok := elt.(*ast.Field)
			if ok && isPlainLabel(inner) {
				e := entry{machine: labelName(inner.Label), from: inner.Pos().Offset(), to: inner.End().Offset(), words: map[string]bool{}}
				if !machines.Lbrace.IsValid() { // machines: web: {…}
					e.from, e.to = field.Pos().Offset(), field.End().Offset()
				}
				e.to = afterComma(text, e.to)
				collectWords(inner.Value, e.words)
				o.entries = append(o.entries, e)
				continue
			}
			collectWords(elt, o.words)
			if ok && inner.Alias == nil {
				if _, pattern := inner.Label.(*ast.ListLit); pattern {
					continue
				}
			}
			if _, rest := elt.(*ast.Ellipsis); !rest {
				o.open = true
			}
		}
	}
	return o
}

func importsOf(decl *ast.ImportDecl, text []byte) []imported {
	var all []imported
	for _, spec := range decl.Specs {
		name := path.Base(strings.Trim(spec.Path.Value, `"`))
		if _, named, ok := strings.Cut(name, ":"); ok {
			name = named
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		i := imported{name, spec.Pos().Offset(), afterComma(text, spec.End().Offset())}
		if !decl.Lparen.IsValid() {
			i.from = decl.Import.Offset()
		}
		all = append(all, i)
	}
	return all
}

func isPlainLabel(f *ast.Field) bool {
	switch f.Label.(type) {
	case *ast.Ident, *ast.BasicLit:
		return f.Alias == nil && f.Constraint == token.ILLEGAL
	}
	return false
}

// afterComma is the offset behind the comma that follows, if one does.
func afterComma(text []byte, at int) int {
	rest := bytes.TrimLeft(text[at:], " \t")
	if len(rest) > 0 && rest[0] == ',' {
		return len(text) - len(rest) + 1
	}
	return at
}

// collectWords gathers the identifiers that may refer to something: all but
// plain labels and selectors.
func collectWords(n ast.Node, words map[string]bool) {
	ast.Walk(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field:
			if !isPlainLabel(x) {
				collectWords(x.Label, words)
			}
			if x.Value != nil {
				collectWords(x.Value, words)
			}
			return false
		case *ast.SelectorExpr:
			collectWords(x.X, words)
			return false
		case *ast.Ident:
			words[x.Name] = true
		}
		return true
	}, nil)
}

// declared lists the machines that files name in so many words; open says that
// there may be more.
func (t *texts) declared() (names []string, open bool) {
	all := map[string]bool{}
	for _, o := range t.outlines {
		open = open || o.open
		for _, e := range o.entries {
			all[e.machine] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), open
}

// of gives the files as far as they matter to one machine: what is written of
// others is blanked out, with the imports that only they use, so that every
// place stays.
func (t *texts) of(machine string) []cueFile {
	keep := t.mattering(machine)
	files := slices.Clone(t.files)
	for i, o := range t.outlines {
		words, dropped := maps.Clone(o.words), map[string]bool{}
		text := bytes.Clone(t.files[i].text)
		for _, e := range o.entries {
			if keep == nil || keep[e.machine] {
				maps.Copy(words, e.words)
			} else {
				maps.Copy(dropped, e.words)
				blank(text[e.from:e.to])
			}
		}
		for _, spec := range o.imports {
			if dropped[spec.name] && !words[spec.name] {
				blank(text[spec.from:spec.to])
			}
		}
		files[i].text = text
	}
	return files
}

func blank(text []byte) {
	for i := range text {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
}

// mattering are the machines that one may refer to, with itself; nil is all.
func (t *texts) mattering(machine string) map[string]bool {
	keep, words := map[string]bool{}, map[string]bool{}
	for _, o := range t.outlines {
		maps.Copy(words, o.words)
	}
	names, _ := t.declared()
	for next := []string{machine}; len(next) > 0; {
		for _, name := range next {
			keep[name] = true
			for _, o := range t.outlines {
				for _, e := range o.entries {
					if e.machine == name {
						maps.Copy(words, e.words)
					}
				}
			}
		}
		next = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return keep[name] || !words[name] })
	}
	if slices.ContainsFunc(whole, func(word string) bool { return words[word] }) {
		return nil
	}
	return keep
}
