package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"stet/internal/machine"
	"stet/internal/similar"
)

// FileName is the configuration of one machine, in YAML.
const FileName = "stet.yaml"

// ErrNone means that a directory has no configuration.
var ErrNone = errors.New("no stet.yaml and no CUE file of package stet")

// Configuration is everything a repository declares, evaluated.
type Configuration struct {
	Dir      string                      // as given to Load
	Files    []string                    // what was read, relative to Dir, sorted; sources of files are not among them
	Machines map[string]*machine.Machine // by name

	evaluated map[string]*evaluation
}

// Names are the names of all machines, sorted.
func (c *Configuration) Names() []string { return slices.Sorted(maps.Keys(c.Machines)) }

// Machine is the machine of that name, or the only one when name is empty.
func (c *Configuration) Machine(name string) (*machine.Machine, error) {
	names := c.Names()
	if name == "" {
		if len(names) == 1 {
			return c.Machines[names[0]], nil
		}
		return nil, fmt.Errorf("there are %d machines, name one: %s", len(names), strings.Join(names, ", "))
	}
	if m, ok := c.Machines[name]; ok {
		return m, nil
	}
	if near := similar.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("no machine %q is declared; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("no machine %q is declared; there is %s", name, strings.Join(names, ", "))
}

// Places maps every option of a machine, written as in users.ada.shell or
// files."/etc/motd".text, to where its value comes from: a file of the
// repository, or "stet:modules/…" and "stet:schema/…" for Stet's own. The map
// is made on demand and belongs to the caller.
func (c *Configuration) Places(name string) map[string]Place {
	e, ok := c.evaluated[name]
	if !ok {
		return nil
	}
	return e.places()
}

// Wrong is what is wrong with an option of a machine, found after the
// configuration was evaluated. The elements are its path. With known, the
// option's last element is a name that is unknown, and these were possible.
func (c *Configuration) Wrong(machine string, elements []string, message, remedy string, known []string) Problems {
	p := Problem{Path: pathOf(elements), Message: message, Remedy: remedy}
	if e, ok := c.evaluated[machine]; ok {
		p.Place = e.labelled(elements...)
		if known == nil {
			p.Place = e.place(elements...)
		}
	}
	if near := similar.Nearest(elements[len(elements)-1], known); near != "" {
		p.Remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return Problems{p}
}

// WrongValue is Wrong of an option's value, where others were possible.
func (c *Configuration) WrongValue(machine string, elements []string, value, message, remedy string, possible []string) Problems {
	if near := similar.Nearest(value, possible); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return c.Wrong(machine, elements, message, remedy, nil)
}

const evaluatorFailed = "the evaluator failed"

// Has says whether a directory has a configuration, be it right or wrong.
func Has(dir string) bool {
	_, _, err := read(dir)
	wrong := (Problems)(nil)
	return err == nil || errors.As(err, &wrong)
}

// Load reads and evaluates the configuration in dir. Its error is a [Problems]
// when the text is wrong, [ErrNone] (wrapped) when there is none.
func Load(ctx context.Context, dir string) (c *Configuration, err error) {
	yamlText, cueFiles, err := read(dir)
	if err != nil {
		return nil, err
	}
	// CUE's evaluator is large and foreign, and configurations may be hostile:
	// what makes it panic is wrong input like any other.
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, Problems{{Place: Place{File: FileName}, Message: fmt.Sprintf("%s: %v", evaluatorFailed, r), Remedy: "this is a mistake of Stet: please report it with the configuration"}}
		}
	}()
	c = &Configuration{Dir: dir, Machines: map[string]*machine.Machine{}, evaluated: map[string]*evaluation{}}
	for _, f := range cueFiles {
		c.Files = append(c.Files, f.name)
	}
	if yamlText != nil {
		c.Files = append(c.Files, FileName)
	}
	slices.Sort(c.Files)

	var problems Problems
	collect := func(e *evaluation, err error) error {
		if found := (Problems)(nil); errors.As(err, &found) {
			problems = append(problems, found...)
			return nil
		}
		if err != nil {
			return err
		}
		if _, twice := c.Machines[e.machine.Name]; twice {
			problems = append(problems, Problem{Place: e.namePlace(), Path: "name", Message: fmt.Sprintf("a second machine named %q", e.machine.Name)})
			return nil
		}
		c.Machines[e.machine.Name], c.evaluated[e.machine.Name] = e.machine, e
		return nil
	}
	if yamlText != nil {
		if err := collect(evaluateYAML(dir, yamlText, cueFiles)); err != nil {
			return nil, err
		}
	}
	names, err := declared(cueFiles)
	if err != nil && yamlText == nil { // with stet.yaml it has been reported
		if found := (Problems)(nil); errors.As(err, &found) {
			return nil, found.in(cueFiles[0].name).sorted()
		}
		return nil, err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := collect(evaluateCUE(dir, name, cueFiles)); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	if len(c.Machines) == 0 {
		return nil, Problems{{Place: Place{File: c.Files[0]}, Message: "no machine is declared", Remedy: "declare one: machines: hello: {}"}}
	}
	return c, nil
}

// read finds and reads the configuration's files.
func read(dir string) (yamlText []byte, cueFiles []cueFile, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, nil, fmt.Errorf("read the repository %s: %w", dir, err)
	}
	for _, entry := range entries {
		name := entry.Name()
		isYAML := name == FileName
		if !isYAML && filepath.Ext(name) != ".cue" || strings.HasPrefix(name, ".") {
			continue
		}
		text, err := readText(root, name)
		if err != nil {
			return nil, nil, err
		}
		if isYAML {
			yamlText = append([]byte{}, text...)
		} else if ofPackageStet(name, text) {
			cueFiles = append(cueFiles, cueFile{name, text})
		}
	}
	if yamlText == nil && len(cueFiles) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	return yamlText, cueFiles, nil
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

// declared lists the machines that CUE files name: by their evaluated value,
// or where that is wrong, by the syntax, so that each machine's own problems
// are found.
func declared(files []cueFile) ([]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	where := newPlaces()
	language, err := compile(files, where)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	machines := language.root.LookupPath(cue.ParsePath("machines"))
	if fields, err := machines.Fields(); err == nil {
		for fields.Next() {
			names[fields.Selector().Unquoted()] = true
		}
		return slices.Sorted(maps.Keys(names)), nil
	} else if !machines.Exists() {
		return nil, nil
	}
	for _, f := range language.files {
		for _, decl := range f.Decls {
			field, ok := decl.(*ast.Field)
			if !ok || labelName(field.Label) != "machines" {
				continue
			}
			if tree, ok := field.Value.(*ast.StructLit); ok {
				for _, decl := range tree.Elts {
					if field, ok := decl.(*ast.Field); ok {
						names[labelName(field.Label)] = true
					}
				}
			}
		}
	}
	if len(names) == 0 { // they come out of an expression that is wrong
		return nil, translate(machines.Err(), where, nil)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// evaluateYAML evaluates stet.yaml; CUE files beside it may add modules.
func evaluateYAML(dir string, text []byte, files []cueFile) (*evaluation, error) {
	where := newPlaces()
	language, err := compile(files, where)
	if err != nil {
		return nil, err
	}
	tree, err := parseYAML(FileName, text, where)
	if err != nil {
		return nil, err
	}
	var problems Problems
	sets(tree, language.machine, nil, where, &problems)
	written := language.context.BuildFile(&ast.File{Filename: FileName, Decls: tree.Elts})
	e := &evaluation{dir: dir, where: where, language: language, written: written, file: FileName}
	return e.run(problems)
}

// evaluateCUE evaluates one machine of the repository's CUE files.
func evaluateCUE(dir, name string, files []cueFile) (*evaluation, error) {
	where := newPlaces()
	language, err := compile(files, where)
	if err != nil {
		return nil, err
	}
	written := language.root.LookupPath(cue.MakePath(cue.Str("machines"), cue.Str(name)))
	e := &evaluation{dir: dir, where: where, language: language, written: written, key: name, file: files[0].name}
	return e.run(nil)
}
