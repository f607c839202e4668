package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/tree"
	"stet/internal/unit"
	"stet/internal/verity"
)

// System is one of the two systems, as its manifest says.
type System struct {
	Digest        string
	Machine       string
	Trees         map[string]string // name to the SHA-256 of the tree's text
	Kernel        Blob
	KernelVersion string
	Initrd        Blob
	CommandLine   string // declared kernel parameters
}

// Blob is an object that the ESP has a copy of.
type Blob struct {
	Digest verity.Digest
	Size   int64 // bytes
}

// Store has the trees of both systems, and the contents they name as far as a
// plan looks into them: unit files, /etc, dpkg's database. A store's content
// follows from its name, so reading it keeps a plan a function of its input.
type Store interface {
	Tree(digest string) (*tree.Tree, error)
	Files(digest string) (tree.Files, error)
	ReadObject(d verity.Digest) ([]byte, error)
}

// The names of trees, and the places in the usr tree of what the machine has
// elsewhere: internal/system puts it there.
const (
	usrTree       = "usr"
	etcTree       = "etc"
	modulesTree   = "modules"
	varTree       = "var"
	databasePlace = "/lib/sysimage/dpkg" // dpkg's database
	filesPlace    = "/lib/stet/files"    // declared files outside of /etc and /usr
)

// side is one of the two systems with what was read of it.
type side struct {
	System
	store Store
	trees map[string]*tree.Tree
	asked map[string]tree.Files // that were not read whole
}

func newSide(s System, store Store) *side {
	return &side{System: s, store: store, trees: map[string]*tree.Tree{}, asked: map[string]tree.Files{}}
}

// files gives a tree to who asks for little of it.
func (s *side) files(name string) (tree.Files, error) {
	if t, ok := s.trees[name]; ok {
		return t, nil
	}
	if files, ok := s.asked[name]; ok {
		return files, nil
	}
	files, err := s.store.Files(s.Trees[name])
	if err != nil {
		return nil, fmt.Errorf("%s tree of system %.12s: %w", name, s.Digest, err)
	}
	s.asked[name] = files
	return files, nil
}

// tree reads a tree when it is first needed: two systems with the same tree
// need none.
func (s *side) tree(name string) (*tree.Tree, error) {
	if t, ok := s.trees[name]; ok {
		return t, nil
	}
	t, err := s.store.Tree(s.Trees[name])
	if err != nil {
		return nil, fmt.Errorf("%s tree of system %.12s: %w", name, s.Digest, err)
	}
	s.trees[name] = t
	return t, nil
}

// read gives the content of a file of a tree; "" when it has none there.
func (s *side) read(name, file string) (string, error) {
	t, err := s.files(name)
	if err != nil {
		return "", err
	}
	e, ok := t.Lookup(file)
	if !ok || e.Type != tree.Regular {
		return "", nil
	}
	text, err := s.store.ReadObject(e.Digest)
	if err != nil {
		return "", fmt.Errorf("%s of the %s tree: %w", file, name, err)
	}
	return string(text), nil
}

// onMachine is the path on the machine of an entry of a tree.
func onMachine(name, entry string) string {
	if name == etcTree {
		return path.Join("/etc", entry)
	}
	if below, ok := strings.CutPrefix(entry, filesPlace+"/"); ok {
		return "/" + below
	}
	return path.Join("/usr", entry)
}

// unitFiles are the unit files of one side, with what lies over its trees: what
// the machine has in /run, and what people changed in /etc.
type unitFiles struct {
	side  *side
	over  map[string]unit.File
	gone  map[string]bool
	names map[string][]string // of directories
}

func newUnitFiles(s *side, over map[string]unit.File, gone map[string]bool) (*unitFiles, error) {
	f := &unitFiles{side: s, over: over, gone: gone, names: map[string][]string{}}
	seen := map[string]bool{}
	add := func(name string) {
		if !gone[name] && !seen[name] {
			seen[name] = true
			f.names[path.Dir(name)] = append(f.names[path.Dir(name)], path.Base(name))
		}
	}
	for _, place := range []struct{ tree, dir, at string }{
		{etcTree, "/systemd", "/etc"}, {etcTree, "/xdg/systemd", "/etc"},
		{usrTree, "/lib/systemd", "/usr"}, {usrTree, "/share/systemd", "/usr"},
	} {
		t, err := s.files(place.tree)
		if err != nil {
			return nil, err
		}
		for e := range t.Below(place.dir) {
			add(place.at + e.Path)
		}
	}
	for name := range over {
		add(name)
	}
	for _, all := range f.names {
		slices.Sort(all)
	}
	return f, nil
}

func (f *unitFiles) Names(dir string) []string { return f.names[dir] }

func (f *unitFiles) Lookup(name string) (unit.File, bool) {
	if strings.HasPrefix(name, "/lib/") {
		name = "/usr" + name // deb-systemd-helper links so where it runs before systemd is there
	}
	if f.gone[name] {
		return unit.File{}, false
	}
	if file, ok := f.over[name]; ok {
		return file, true
	}
	top, rest, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if top != etcTree && top != usrTree {
		return unit.File{}, false
	}
	t, err := f.side.files(top)
	if err != nil {
		return unit.File{Read: func() (string, error) { return "", err }}, true
	}
	e, ok := t.Lookup("/" + rest)
	switch {
	case !ok:
		return unit.File{}, false
	case e.Type == tree.Symlink:
		return unit.File{Link: e.Target}, true
	case e.Type == tree.Regular:
		return unit.File{Read: func() (string, error) { return f.side.read(top, "/"+rest) }}, true
	}
	return unit.File{}, true
}
