package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
)

// texts are all texts of a configuration, read once.
type texts struct {
	dir      string
	yaml     []byte               // of stet.yaml; nil without one
	files    []cueFile            // of package stet, by name
	module   string               // what cue.mod/module.cue calls the repository; "" without one
	packages map[string][]cueFile // imported ones of the repository, by import path
	outlines []outline            // of files

	shared     sync.Once
	sharedSums [2]string // see digest
	evaluating atomic.Int64
}

// cueFile is the text of one CUE file.
type cueFile struct {
	name string // slash-separated, relative to the repository
	text []byte
}

// read finds and reads the configuration's files. All files that are no CUE
// are told of at once.
func read(dir string) (*texts, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer root.Close()
	r := &texts{dir: dir, packages: map[string][]cueFile{}}
	if err := r.readTop(root); err != nil {
		return nil, err
	}
	where := newPlaces()
	var trees []*ast.File
	var problems Problems
	for _, f := range r.files {
		tree, wrong := parse(f, where)
		problems = append(problems, wrong...)
		trees = append(trees, tree)
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	if problems := r.readImports(root, trees, where); len(problems) > 0 {
		return nil, problems.sorted()
	}
	for i, tree := range trees {
		r.outlines = append(r.outlines, outlineOf(tree, r.files[i].text))
	}
	return r, nil
}

// readTop reads stet.yaml and the CUE files of package stet.
func (t *texts) readTop(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("read the repository %s: %w", t.dir, err)
	}
	for _, entry := range entries {
		name := entry.Name()
		isYAML := name == FileName
		if !isYAML && filepath.Ext(name) != ".cue" || strings.HasPrefix(name, ".") {
			continue
		}
		if !isYAML && entry.IsDir() { // cue.mod
			continue
		}
		text, err := readText(root, name)
		if err != nil {
			return err
		}
		if isYAML {
			t.yaml = append([]byte{}, text...)
		} else if ofPackageStet(name, text) {
			t.files = append(t.files, cueFile{name, text})
		}
	}
	if t.yaml == nil && len(t.files) == 0 {
		return fmt.Errorf("%s: %w", t.dir, ErrNone)
	}
	return nil
}

// readText reads one configuration file, within bounds.
func readText(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, Problems{{Place: Place{File: name}, Message: "cannot be read: " + cause(err)}}
	}
	if !info.Mode().IsRegular() {
		return nil, Problems{{Place: Place{File: name}, Message: "is " + fileKind(info.Mode()) + ", not a file"}}
	}
	if info.Size() > maxText {
		return nil, Problems{{
			Place:   Place{File: name},
			Message: fmt.Sprintf("has %d MB; a configuration file has at most %d MB", (info.Size()+1<<20-1)>>20, maxText>>20),
			Remedy:  "large content belongs in a file of its own, named by source:",
		}}
	}
	text, err := root.ReadFile(name)
	if err != nil {
		return nil, Problems{{Place: Place{File: name}, Message: "cannot be read: " + cause(err)}}
	}
	return text, nil
}

// ofPackageStet says whether a CUE file belongs to the configuration. One that
// cannot be parsed up to its package clause does when it says so in words.
func ofPackageStet(name string, text []byte) bool {
	tree, err := parser.ParseFile(name, text, parser.PackageClauseOnly)
	if err != nil || tree == nil {
		return strings.Contains(string(text), "package stet")
	}
	return tree.PackageName() == "stet"
}

// parse reads one CUE file, and takes its text and labels into where.
func parse(f cueFile, where *places) (*ast.File, Problems) {
	where.add(f.name, f.text, nil)
	if problem := unreadable(f.name, f.text, where); problem != nil {
		return nil, Problems{*problem}
	}
	tree, err := parser.ParseFile(f.name, f.text, parser.ParseComments)
	if err != nil {
		var problems Problems
		if translated, ok := translate(err, where, nil).(Problems); ok {
			problems = translated
		}
		return nil, problems
	}
	where.add(f.name, f.text, tree)
	return tree, nil
}
