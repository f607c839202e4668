package past

import (
	"fmt"
	"slices"
	"strings"

	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// Kind is what a thing is.
type Kind string

// The kinds.
const (
	File      Kind = "file" // a path on the machine
	Unit      Kind = "unit"
	User      Kind = "user"
	Group     Kind = "group"
	Package   Kind = "package" // NAME, or NAME:ARCHITECTURE
	Variable  Kind = "sysctl"
	Parameter Kind = "parameter"
)

// Thing is something that a system has or has not.
type Thing struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
}

// Look is how a thing is in one system.
type Look struct {
	Is    string // what is compared; empty when the system does not have it
	Value string // in words, where it has few: a version, a value
}

// Has says whether the system has the thing.
func (l Look) Has() bool { return l.Is != "" }

// Reader looks at systems of a store. It reads each part of a tree once.
type Reader struct {
	store *store.Store
	parts map[string]*tree.Tree
	looks map[string]Look // by thing, trees and command line
}

// NewReader makes a reader.
func NewReader(s *store.Store) *Reader {
	return &Reader{store: s, parts: map[string]*tree.Tree{}, looks: map[string]Look{}}
}

// Look gives how a thing is in a system.
func (r *Reader) Look(digest string, of Thing) (Look, error) {
	text, err := r.store.System(digest)
	if err != nil {
		return Look{}, err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return Look{}, err
	}
	key := strings.Join([]string{string(of.Kind), of.Name, m.Trees["usr"], m.Trees["etc"], m.Trees["var"], m.CommandLine}, "\n")
	if l, known := r.looks[key]; known {
		return l, nil
	}
	l, err := r.look(m, of)
	if err != nil {
		return l, fmt.Errorf("look for %s %s in system %.12s: %w", of.Kind, of.Name, digest, err)
	}
	r.looks[key] = l
	return l, nil
}

func (r *Reader) look(m *system.Manifest, of Thing) (Look, error) {
	switch of.Kind {
	case File:
		return r.file(m, of.Name)
	case Unit:
		return r.unit(m, of.Name)
	case User:
		return r.account(m, "/passwd", of.Name)
	case Group:
		return r.account(m, "/group", of.Name)
	case Package:
		return r.dpkg(m, of.Name)
	case Variable:
		return r.variable(m, of.Name)
	case Parameter:
		if slices.Contains(strings.Fields(m.CommandLine), of.Name) {
			return Look{Is: of.Name}, nil
		}
		return Look{}, nil
	}
	return Look{}, fmt.Errorf("%q is no kind of thing", of.Kind)
}

// part reads what a tree has at and below some places. A system without the tree
// has nothing there.
func (r *Reader) part(m *system.Manifest, name string, places ...string) (*tree.Tree, error) {
	digest := m.Trees[name]
	if digest == "" {
		return tree.New(nil)
	}
	key := digest + " " + strings.Join(places, " ")
	if t, known := r.parts[key]; known {
		return t, nil
	}
	t, err := r.store.TreePart(digest, places...)
	if err == nil {
		r.parts[key] = t
	}
	return t, err
}

// read gives the content of a file of a tree; empty when it has none there.
func (r *Reader) read(m *system.Manifest, name, file string) ([]byte, error) {
	t, err := r.part(m, name, file)
	if err != nil {
		return nil, err
	}
	e, ok := t.Lookup(file)
	if !ok || e.Digest.IsZero() {
		return nil, nil
	}
	return r.store.ReadObject(e.Digest)
}
