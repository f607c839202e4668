package config

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
)

// Cause is one link of why a machine is as it is: an option, and where what it
// has comes from.
type Cause struct {
	Path   string `json:"path"`             // units."nginx.service".enable
	Place  Place  `json:"place"`            // zero when nothing says so but a default
	Reason string `json:"reason,omitempty"` // words of who wants it, where that is no option
}

// Causes tell why a machine has what is at a path: the place that says so, and
// where that is a module's, the option that brought it, and so on until
// something that a person wrote, or a default.
func (c *Configuration) Causes(machine, path string) []Cause {
	e := c.evaluation(machine)
	if e == nil {
		return nil
	}
	elements, _ := e.resolve(path)
	return e.causes(elements, map[string]bool{})
}

// Unfit is what a check says of a machine that is built, at the place where
// somebody wrote what made the files that it is about. The other places are
// those of the others.
func (c *Configuration) Unfit(machine, check, said string, files []string) Problem {
	p := Problem{Path: PathOf([]string{"checks", check}), Message: "does not succeed", Remedy: "`enable: false` of the check leaves it out"}
	if said != "" {
		p.Message += ":\n" + said + "\n"
	}
	e := c.evaluation(machine)
	if e == nil {
		return p
	}
	var places []Place
	for _, name := range files {
		for _, cause := range slices.Backward(e.causes(e.declaring(name), map[string]bool{})) {
			if cause.Place.Line > 0 && !cause.Place.Builtin() {
				if !slices.ContainsFunc(places, func(is Place) bool { return is.String() == cause.Place.String() }) {
					places = append(places, cause.Place)
				}
				break
			}
		}
	}
	if len(places) == 0 {
		places = []Place{e.labelled("checks", check)}
	}
	p.Place, p.Others = places[0], places[1:]
	return p
}

// declaring is the option that declares a file: a unit, or the file itself.
func (e *evaluation) declaring(file string) []string {
	if unit, ok := strings.CutPrefix(file, "/etc/systemd/system/"); ok && lookup(e.joined, []string{"units", unit}).Exists() {
		return []string{"units", unit}
	}
	return []string{"files", file}
}

func (e *evaluation) causes(elements []string, seen map[string]bool) []Cause {
	path := PathOf(elements)
	if len(elements) == 0 || seen[path] {
		return nil
	}
	seen[path] = true
	cause := Cause{Path: path, Place: e.causePlace(elements)}
	if v := lookup(e.joined, append(elements[:len(elements):len(elements)], "because")); elements[0] == "packages" && v.Exists() {
		var t textPackage
		if v := lookup(e.joined, elements); v.Decode(&t) == nil {
			cause.Reason = e.because(t.Because, elements...)
		}
	}
	all := []Cause{cause}
	words, _, _ := strings.Cut(cause.Reason, ",")
	words, _, _ = strings.Cut(words, " ")
	for _, next := range append(e.conditions(cause.Place), strings.Split(words, ".")) {
		if v := lookup(e.joined, next); len(next) > 0 && next[0] != "" && v.Exists() {
			if more := e.causes(next, seen); len(more) > 0 {
				return append(all, more...)
			}
		}
	}
	// A default of a module, such as a port: whoever wrote what it is in.
	for n := len(elements) - 1; n > 0 && cause.Place.Builtin(); n-- {
		if e.isWritten(elements[:n]...) {
			return append(all, e.causes(elements[:n], seen)...)
		}
	}
	return all
}

// causePlace is the place of an option's name, or of its first part that has
// one: a block that several files add to is nowhere itself.
func (e *evaluation) causePlace(elements []string) Place {
	if e.isWritten(elements...) {
		return e.labelled(elements...)
	}
	v := lookup(e.joined, elements)
	if place := e.where.label(v); place.Line > 0 && !typeFile(place.File) {
		return place
	}
	for _, name := range members(v) {
		inner := append(elements[:len(elements):len(elements)], name)
		if place := e.labelled(inner...); place.Line > 0 && !typeFile(place.File) {
			return place
		}
	}
	return Place{}
}

// conditions are the options that decide whether a place counts: those that the
// outermost condition or loop around it names first.
func (e *evaluation) conditions(place Place) [][]string {
	tree := e.where.trees[place.File]
	if tree == nil || place.Line == 0 {
		return nil
	}
	var found [][]string
	ast.Walk(tree, func(n ast.Node) bool {
		c, ok := n.(*ast.Comprehension)
		if !ok || found != nil {
			return found == nil
		}
		if c.Pos().Line() > place.Line || c.End().Line() < place.Line {
			return false
		}
		for _, clause := range c.Clauses {
			switch x := clause.(type) {
			case *ast.IfClause:
				found = append(found, references(x.Condition)...)
			case *ast.ForClause:
				found = append(found, references(x.Source)...)
			}
		}
		return false
	}, nil)
	return found
}

// references are the paths that an expression names.
func references(n ast.Node) [][]string {
	var all [][]string
	ast.Walk(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident:
			if path := pathOfExpr(x.(ast.Expr)); path != nil {
				all = append(all, path)
			}
			return false
		}
		return true
	}, nil)
	return all
}

func pathOfExpr(x ast.Expr) []string {
	switch x := x.(type) {
	case *ast.Ident:
		return []string{x.Name}
	case *ast.SelectorExpr:
		if path := pathOfExpr(x.X); path != nil {
			return append(path, labelName(x.Sel))
		}
	case *ast.IndexExpr:
		if lit, ok := x.Index.(*ast.BasicLit); ok {
			if path := pathOfExpr(x.X); path != nil {
				return append(path, unquoted([]string{lit.Value})...)
			}
		}
	}
	return nil
}
