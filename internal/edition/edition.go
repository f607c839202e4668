package edition

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/adopt"
	"stet/internal/config"
	"stet/internal/drift"
	"stet/internal/edit"
	"stet/internal/machine"
	"stet/internal/unified"
)

// Edition is a configuration that is edited for the sake of one of its machines.
type Edition struct {
	Configuration *config.Configuration
	Machine       string // its name
}

// File is a file of the repository that is another in the edition.
type File struct {
	Name string `json:"name"` // relative to the repository
	New  bool   `json:"new,omitempty"`
	Diff string `json:"diff,omitempty"` // of a text

	Content []byte `json:"-"`
	Before  []byte `json:"-"`
}

// Adopt declares as many of the findings as can be: all at once when that works, else
// by halves. The machine needs no Declared, no Owner and no Source. What is left is so
// because of what it is, or because the edited configuration would be wrong, or not say
// what the machine is.
func (e Edition) Adopt(ctx context.Context, m adopt.Machine, found []drift.Finding) (adopted []drift.Finding, files []File, left []adopt.Left, err error) {
	m.Declared, m.Owner, m.Source = e.Configuration.Machines[e.Machine], e.owner(), e.source
	p := &adoption{Edition: e, machine: m}
	// What may be refused does not hold up what is sure.
	var sure, doubtful []drift.Finding
	proposed := adopt.Propose(m, found)
	p.left = proposed.Left
	for _, f := range without(found, proposed.Left) {
		if slices.ContainsFunc(proposed.Otherwise, isOf(f)) {
			doubtful = append(doubtful, f)
		} else {
			sure = append(sure, f)
		}
	}
	// A port comes with its unit, and so after it.
	isPort := func(f drift.Finding) bool { return f.Kind == drift.Port }
	ports := slices.DeleteFunc(slices.Clone(sure), func(f drift.Finding) bool { return !isPort(f) })
	sure = append(slices.DeleteFunc(sure, isPort), ports...)
	for _, some := range [][]drift.Finding{sure, doubtful} {
		if len(some) == 0 {
			continue
		}
		if err := p.take(ctx, some); err != nil {
			return nil, nil, nil, err
		}
	}
	place := func(f drift.Finding) int { return slices.Index(found, f) }
	slices.SortStableFunc(p.adopted, func(a, b drift.Finding) int { return place(a) - place(b) })
	slices.SortStableFunc(p.left, func(a, b adopt.Left) int { return place(a.Finding) - place(b.Finding) })
	return p.adopted, p.files, p.left, nil
}

// source reads a file of the repository.
func (e Edition) source(name string) ([]byte, error) {
	root, err := os.OpenRoot(e.Configuration.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(name)
}

// adoption is what became of findings so far.
type adoption struct {
	Edition
	machine adopt.Machine
	adopted []drift.Finding
	files   []File
	left    []adopt.Left
}

// take adopts findings on top of those that are adopted: all when that works, else each
// half by itself.
func (p *adoption) take(ctx context.Context, some []drift.Finding) error {
	together := slices.Concat(p.adopted, some)
	proposal := adopt.Propose(p.machine, together)
	files, err := p.try(ctx, proposal)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		p.adopted, p.files, p.left = without(together, proposal.Left), files, append(p.left, proposal.Left...)
		return nil
	case len(some) > 1:
		if err := p.take(ctx, some[:len(some)/2]); err != nil {
			return err
		}
		return p.take(ctx, some[len(some)/2:])
	}
	left := adopt.Left{Finding: some[0], Why: firstLine(err), Remedy: "edit the configuration by hand"}
	for _, known := range [][]adopt.Left{proposal.Otherwise, proposal.Left} {
		if at := slices.IndexFunc(known, isOf(some[0])); at >= 0 {
			left = known[at]
		}
	}
	p.left = append(p.left, left)
	return nil
}

func isOf(f drift.Finding) func(adopt.Left) bool {
	return func(l adopt.Left) bool { return l.Finding == f }
}

func without(found []drift.Finding, left []adopt.Left) []drift.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f drift.Finding) bool { return slices.ContainsFunc(left, isOf(f)) })
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Edit makes changes, and gives the files that are others.
func (e Edition) Edit(ctx context.Context, changes []edit.Change) ([]File, error) {
	return e.try(ctx, &adopt.Proposal{Changes: changes, Files: map[string][]byte{}})
}

// owner tells who wrote an option, or a part of it.
func (e Edition) owner() func(option ...string) adopt.Owner {
	places := e.Configuration.Places(e.Machine)
	return func(option ...string) adopt.Owner {
		name := config.PathOf(option)
		owner := adopt.Nobody
		for at, place := range places {
			if at != name && !strings.HasPrefix(at, name+".") || place.Line == 0 {
				continue
			}
			if !place.Builtin() {
				return adopt.Person
			}
			owner = adopt.Module
		}
		return owner
	}
}

// try makes the edits beside the repository, and gives the files that are others
// when the configuration then says what it shall.
func (e Edition) try(ctx context.Context, p *adopt.Proposal) ([]File, error) {
	edited := maps.Clone(p.Files)
	for _, c := range p.Changes {
		if err := e.make(edited, c); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "stet-edit-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := e.copyTo(dir, edited); err != nil {
		return nil, err
	}
	after, err := config.Load(ctx, dir)
	if err != nil {
		return nil, err
	}
	m, ok := after.Machines[e.Machine]
	if !ok {
		return nil, fmt.Errorf("there is no machine %s any more", e.Machine)
	}
	for _, want := range p.Wants {
		if f, ok := m.Files[want.Path]; ok && textOf(f) != want.Text {
			return nil, fmt.Errorf("%s: some lines stand for no option", want.Path)
		}
	}
	return e.differing(edited)
}

// textOf is the content of a declared file, or the target of a link.
func textOf(f machine.File) string {
	if f.Kind == machine.FileLink {
		return f.Link
	}
	return f.Text
}

// make makes one change, in the file that it belongs to.
func (e Edition) make(edited map[string][]byte, c edit.Change) error {
	name, prefix, err := e.place(edited, c)
	if err != nil {
		return err
	}
	text, err := e.read(edited, name)
	if err != nil {
		return err
	}
	if prefix == nil {
		text, err = edit.YAML(name, text, c)
	} else {
		text, err = edit.CUE(name, text, c.Below(prefix...))
	}
	if err != nil {
		return err
	}
	edited[name] = text
	return nil
}

// place is the file for a change, and the path in it of the machine's options: that
// which declares the option, or most of what is around it, or the machine.
func (e Edition) place(edited map[string][]byte, c edit.Change) (name string, prefix []string, err error) {
	places := e.Configuration.Places(e.Machine)
	own := map[string]int{} // how many options of the machine a file has
	for _, place := range places {
		if !place.Builtin() && place.Line > 0 {
			own[place.File]++
		}
	}
	if own[config.FileName] > 0 {
		return config.FileName, nil, nil
	}
	prefix = []string{"machines", e.Machine}
	var candidates []string
	for path := c.Path(); len(path) > 0; path = path[:len(path)-1] {
		for at, place := range places {
			if (at == config.PathOf(path) || strings.HasPrefix(at, config.PathOf(path)+".")) && own[place.File] > 0 {
				candidates = append(candidates, place.File)
			}
		}
	}
	slices.Sort(candidates)
	candidates = append(candidates, slices.SortedFunc(maps.Keys(own), func(a, b string) int { return own[b] - own[a] })...)
	for _, name := range slices.Compact(candidates) {
		text, err := e.read(edited, name)
		if err != nil {
			return "", nil, err
		}
		if edit.HasCUE(name, text, prefix) {
			return name, prefix, nil
		}
	}
	return "", nil, fmt.Errorf("no file says machines: %s: write its options below that", e.Machine)
}

func (e Edition) read(edited map[string][]byte, name string) ([]byte, error) {
	if text, ok := edited[name]; ok {
		return text, nil
	}
	return os.ReadFile(filepath.Join(e.Configuration.Dir, name))
}

// Draft writes what the configuration consists of, with some files as they are edited,
// into a directory. It is a configuration of its own there, and nobody's repository.
func (e Edition) Draft(dir string, files []File) error {
	edited := map[string][]byte{}
	for _, f := range files {
		edited[f.Name] = f.Content
	}
	return e.copyTo(dir, edited)
}

// copyTo copies what the configuration consists of, as it is edited.
func (e Edition) copyTo(dir string, edited map[string][]byte) error {
	all := map[string]bool{}
	for _, name := range e.Configuration.Used() {
		all[name] = true
	}
	for name := range edited {
		all[name] = true
	}
	for name := range all {
		text, err := e.read(edited, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // evaluation says so, with its place
		}
		at := filepath.Join(dir, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(at), 0o700)
		}
		if err == nil {
			err = os.WriteFile(at, text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// differing are the edited files that are not what the repository has.
func (e Edition) differing(edited map[string][]byte) ([]File, error) {
	files := []File{}
	for _, name := range slices.Sorted(maps.Keys(edited)) {
		before, err := os.ReadFile(filepath.Join(e.Configuration.Dir, name))
		isNew := errors.Is(err, fs.ErrNotExist)
		if err != nil && !isNew {
			return nil, err
		}
		if !isNew && bytes.Equal(before, edited[name]) {
			continue
		}
		f := File{Name: name, New: isNew, Content: edited[name], Before: before}
		if unified.IsText(before) && unified.IsText(edited[name]) {
			f.Diff = unified.Diff(string(before), string(edited[name]))
		}
		files = append(files, f)
	}
	return files, nil
}
