package config

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"stet/internal/similar"
)

// moduleFile says by which name a repository's packages are imported, for
// Stet as for any other program that reads CUE.
const moduleFile = "cue.mod/module.cue"

// importing is the reading of the packages that a repository's files import.
type importing struct {
	*texts
	root     *os.Root
	where    *places
	under    []string
	problems Problems
}

// readImports reads the packages that files import, and those that these do.
func (t *texts) readImports(root *os.Root, trees []*ast.File, where *places) Problems {
	i := importing{texts: t, root: root, where: where}
	var wrong *Problem
	if i.module, wrong = readModule(root, where); wrong != nil {
		return Problems{*wrong}
	}
	for _, tree := range trees {
		i.follow(tree)
	}
	return i.problems
}

// readModule reads the repository's name as a CUE module.
func readModule(root *os.Root, where *places) (string, *Problem) {
	if _, err := root.Stat(moduleFile); err != nil {
		return "", nil
	}
	text, err := readText(root, moduleFile)
	if problems, ok := err.(Problems); ok {
		return "", &problems[0]
	}
	where.add(moduleFile, text, nil)
	v := cuecontext.New().CompileBytes(text, cue.Filename(moduleFile))
	name, err := v.LookupPath(cue.ParsePath("module")).String()
	if err != nil {
		return "", &Problem{Place: Place{File: moduleFile}, Message: "does not say the module's name", Remedy: `write: module: "example.org/machines"`}
	}
	name, _, _ = strings.Cut(name, "@") // the major version
	return name, nil
}

// follow reads what a file imports. CUE's standard library is recognised by
// the missing dot in the first element of its paths.
func (i *importing) follow(tree *ast.File) {
	for spec := range tree.ImportSpecs() {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the evaluator says so
		}
		if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") && !i.inModule(name) {
			continue
		}
		i.load(name, spec.Path.Pos())
	}
}

func (i *importing) inModule(name string) bool {
	name, _, _ = strings.Cut(name, ":")
	return i.module != "" && (name == i.module || strings.HasPrefix(name, i.module+"/"))
}

// load reads one package, once.
func (i *importing) load(name string, pos token.Pos) {
	fail := func(message, remedy string) {
		i.problems = append(i.problems, Problem{Place: i.where.at(pos), Message: message, Remedy: remedy})
	}
	for at, above := range i.under {
		if above == name {
			fail("imports itself: "+strings.Join(append(i.under[at:len(i.under):len(i.under)], name), " → "), "move what both need into a third package")
			return
		}
	}
	if _, read := i.packages[name]; read {
		return
	}
	if !i.inModule(name) {
		if i.module == "" {
			fail(fmt.Sprintf("cannot import %q: only packages of this repository and of CUE's standard library can be imported", name),
				fmt.Sprintf("for packages of this repository, write %s: module: \"example.org/machines\"", moduleFile))
		} else {
			fail(fmt.Sprintf("cannot import %q: only packages of this repository and of CUE's standard library can be imported", name),
				fmt.Sprintf("names of this repository's packages begin with %s, as %s says", i.module, moduleFile))
		}
		return
	}
	place, of, named := strings.Cut(name, ":")
	dir := "." + strings.TrimPrefix(place, i.module)
	if !named {
		of = path.Base(place)
	}
	files, problem, remedy := i.files(dir, of)
	if problem != "" {
		fail(fmt.Sprintf("cannot import %q: %s", name, problem), remedy)
		return
	}
	i.packages[name] = files
	i.under = append(i.under, name)
	for _, f := range files {
		tree, wrong := parse(f, i.where)
		i.problems = append(i.problems, wrong...)
		if tree != nil {
			i.follow(tree)
		}
	}
	i.under = i.under[:len(i.under)-1]
}

// files reads the CUE files of one package in a directory.
func (i *importing) files(dir, of string) (files []cueFile, problem, remedy string) {
	dir = path.Clean(dir)
	entries, err := fs.ReadDir(i.root.FS(), dir)
	if err != nil {
		return nil, fmt.Sprintf("the directory %s: %s", dir, cause(err)), i.nearDirectory(dir)
	}
	others := map[string]bool{}
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".cue" || entry.IsDir() {
			continue
		}
		name := path.Join(dir, entry.Name())
		text, err := readText(i.root, name)
		if problems, ok := err.(Problems); ok {
			return nil, problems[0].Error(), problems[0].Remedy
		}
		tree, err := parser.ParseFile(name, text, parser.PackageClauseOnly)
		if err == nil && tree.PackageName() != of {
			others[tree.PackageName()] = true
			continue
		}
		files = append(files, cueFile{name, text})
	}
	if len(files) == 0 {
		remedy = fmt.Sprintf("its files begin with: package %s", of)
		if len(others) == 1 {
			for other := range others {
				remedy = fmt.Sprintf("the package there is called %q: append \":%s\" to the import", other, other)
			}
		}
		return nil, fmt.Sprintf("the directory %s has no file of package %s", dir, of), remedy
	}
	return files, "", ""
}

func (i *importing) nearDirectory(dir string) string {
	entries, err := fs.ReadDir(i.root.FS(), path.Dir(dir))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if near := similar.Nearest(path.Base(dir), names); near != "" {
		return fmt.Sprintf("did you mean %q?", path.Join(i.module, path.Dir(dir), near))
	}
	return ""
}
