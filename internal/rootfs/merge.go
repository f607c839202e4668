package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/tree"
)

// aliases are the top-level directories that merged-/usr makes symlinks
// (Debian Policy 10.1, DEP 17); base-files ships those that the architecture
// needs.
var aliases = []string{"bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"}

// topLevel are the directories a package may ship files below. The machine's
// root has a place for these and no others.
var topLevel = append([]string{
	"boot", "dev", "etc", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var",
}, aliases...)

// merged is what the packages' files are together.
type merged struct {
	files  *tree.Builder
	owners map[string]*Package          // of every path that is no directory
	taken  map[*Package]map[string]bool // paths that another package replaces

	diverted diversions
}

// merge lays the packages over each other as dpkg would unpack them: paths
// through merged-/usr, directories of the first owner, files replaced only
// where Replaces says so, and diverted files elsewhere. Everything else at one path is a conflict.
func merge(packages []*Package, diverted diversions, mtime tree.Time) (*merged, error) {
	m := &merged{
		diverted: diverted,
		files:    tree.NewBuilder(),
		owners:   map[string]*Package{},
		taken:    map[*Package]map[string]bool{},
	}
	m.files.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755, Mtime: mtime})
	for _, p := range sorted(packages) {
		for e := range p.Files.All() {
			if e.Path == "/" {
				continue
			}
			if err := m.add(p, *e, mtime); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// unalias gives the path that a shipped path has on a merged-/usr machine.
func unalias(e *tree.Entry) string {
	first, _, below := strings.Cut(e.Path[1:], "/")
	if slices.Contains(aliases, first) && (below || e.Type == tree.Directory) {
		return "/usr" + e.Path
	}
	return e.Path
}

func (m *merged) add(p *Package, e tree.Entry, mtime tree.Time) error {
	shipped := e.Path
	if first, _, _ := strings.Cut(shipped[1:], "/"); !slices.Contains(topLevel, first) {
		return fmt.Errorf("package %s ships %s: a machine has no top-level directory /%s", p.Name, shipped, first)
	}
	e.Path = m.place(p, &e)
	parent, ok := m.files.Get(path.Dir(e.Path))
	if !ok || parent.Type != tree.Directory {
		return m.conflict(p, shipped, path.Dir(e.Path), "below a path that is no directory there")
	}
	old, there := m.files.Get(e.Path)
	switch {
	case e.Type == tree.Directory:
		if there && old.Type != tree.Directory {
			return m.conflict(p, shipped, e.Path, "as a directory")
		}
		if !there {
			e.Mtime = mtime
			m.files.Put(e)
		}
		return nil
	case !there:
		m.files.Put(e)
		m.owners[e.Path] = p
		return nil
	case old.Type == tree.Directory:
		return m.conflict(p, shipped, e.Path, "as a "+e.Type.String())
	}
	other := m.owners[e.Path]
	switch {
	case p.Name == other.Name && p.MultiArch == "same" && old.SameContent(&e) && old.SameMetadata(&e):
		return nil // co-installed architectures share their equal files
	case replaces(p, other) && !replaces(other, p):
		m.take(other, shipped)
		m.files.Put(e)
		m.owners[e.Path] = p
		return nil
	case replaces(other, p):
		m.take(p, shipped)
		return nil
	}
	return m.conflict(p, shipped, e.Path, "too")
}

// place gives the path that a file of a package has in the root.
func (m *merged) place(p *Package, e *tree.Entry) string {
	there := *e
	if e.Type != tree.Directory {
		there.Path = m.diverted.of(p, e.Path)
	}
	return unalias(&there)
}

func (m *merged) take(from *Package, shipped string) {
	if m.taken[from] == nil {
		m.taken[from] = map[string]bool{}
	}
	m.taken[from][shipped] = true
}

// replaces reports whether p may overwrite files of other (Policy 7.6.1).
func replaces(p, other *Package) bool {
	for _, alternatives := range p.Replaces {
		for _, r := range alternatives {
			if r.Name == other.Name && r.Satisfied(other.Version) {
				return true
			}
		}
	}
	return false
}

func (m *merged) conflict(p *Package, shipped, where, how string) error {
	who := "another package"
	if owner := m.owners[where]; owner != nil {
		who = "package " + owner.Name + " " + owner.Version
	} else if owner := m.directoryOwner(where); owner != "" {
		who = owner
	}
	return fmt.Errorf("package %s %s ships %s %s, but %s ships %s, and neither Replaces the other: leave one of them out",
		p.Name, p.Version, shipped, how, who, where)
}

// directoryOwner names a package that has something below a directory.
func (m *merged) directoryOwner(dir string) string {
	names := map[string]bool{}
	for name, owner := range m.owners {
		if strings.HasPrefix(name, dir+"/") {
			names[owner.Name] = true
		}
	}
	best := ""
	for name := range names {
		if best == "" || name < best {
			best = name
		}
	}
	if best == "" {
		return ""
	}
	return "package " + best
}

// list gives the paths of a package for dpkg's list file, as it ships them.
func (m *merged) list(p *Package) []byte {
	var out strings.Builder
	out.WriteString("/.\n")
	for e := range p.Files.All() {
		if e.Path != "/" && !m.taken[p][e.Path] {
			out.WriteString(e.Path)
			out.WriteByte('\n')
		}
	}
	return []byte(out.String())
}

// Unpacked gives the packages' files together, with no script run.
func Unpacked(packages []*Package, epoch int64) (*tree.Tree, error) {
	m, err := merge(packages, diversions{}, tree.Time{Sec: epoch})
	if err != nil {
		return nil, err
	}
	return m.files.Tree()
}
