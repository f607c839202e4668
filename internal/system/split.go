package system

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/machine"
	"stet/internal/residue"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Trees are the parts of a composed root, each rooted at "/".
type Trees struct {
	Usr     *tree.Tree // mounted on /usr
	Etc     *tree.Tree // the lower layer of /etc
	Modules *tree.Tree // the kernels' modules: what /usr shows beneath Usr
	Var     *tree.Tree // what must exist in the machine's state: var, home, root, srv, opt
}

// Bytes is the size of all contents that the trees name, each once.
func (t *Trees) Bytes() int64 {
	seen := map[verity.Digest]bool{}
	var sum int64
	for _, part := range []*tree.Tree{t.Usr, t.Etc, t.Modules, t.Var} {
		for e := range part.All() {
			if !seen[e.Digest] {
				seen[e.Digest] = true
				sum += e.Size
			}
		}
	}
	return sum
}

// The places in the usr tree of what packages and people put elsewhere.
const (
	bootPlace  = "/lib/stet/boot"  // /boot leads here
	varPlace   = "/lib/stet/var"   // derived parts of /var
	filesPlace = "/lib/stet/files" // declared files outside of /etc and /usr
	optPlace   = "/lib/opt"        // packages' /opt
)

// onRoot are the top-level names that the initrd makes on the machine's root:
// empty directories and the links of merged-/usr.
var onRoot = []string{
	"bin", "dev", "lib", "lib32", "lib64", "libo32", "libx32", "media", "mnt", "proc", "run", "sbin", "sys", "tmp",
}

// Split divides a composed root into the machine's trees.
func Split(m *machine.Machine, composed *tree.Tree, epoch int64) (*Trees, error) {
	table, _, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	mtime := tree.Time{Sec: epoch}
	s := &splitter{
		machine: m, table: table, mtime: mtime,
		usr: tree.NewBuilder(), etc: tree.NewBuilder(), modules: tree.NewBuilder(), state: tree.NewBuilder(), vendors: map[string]bool{},
	}
	for _, b := range []*tree.Builder{s.usr, s.etc, s.modules, s.state} {
		b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755, Mtime: mtime})
	}
	for e := range composed.All() {
		if top, ok := strings.CutPrefix(e.Path, "/opt/"); ok && e.Type != tree.Directory && !s.isDeclared(e.Path) {
			top, _, _ = strings.Cut(top, "/")
			s.vendors[top] = true
		}
	}
	for e := range composed.All() {
		if err := s.place(*e); err != nil {
			return nil, fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	// /usr/local is state: what a person installs there is theirs.
	s.usr.Put(tree.Entry{Path: "/local", Type: tree.Symlink, Mode: 0o777, Target: "../var/usrlocal", Mtime: mtime})
	// Stet itself comes from outside, so that its releases change no machine.
	s.usr.Put(tree.Entry{Path: "/bin/stet", Type: tree.Symlink, Mode: 0o777, Target: "/run/stet/bin/stet", Mtime: mtime})
	out := &Trees{}
	for _, part := range []struct {
		to   **tree.Tree
		from *tree.Builder
	}{{&out.Usr, s.usr}, {&out.Etc, s.etc}, {&out.Modules, s.modules}, {&out.Var, s.state}} {
		if *part.to, err = part.from.Tree(); err != nil {
			return nil, fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	return out, nil
}

type splitter struct {
	machine                  *machine.Machine
	table                    *residue.Table
	mtime                    tree.Time
	usr, etc, modules, state *tree.Builder
	linked                   []linkedDirectory
	vendors                  map[string]bool // directories of /opt that packages have
}

// linkedDirectory is a directory of the root that is a link in the state.
type linkedDirectory struct{ from, to string }

// place puts one entry of the root where it belongs. Parents come first.
func (s *splitter) place(e tree.Entry) error {
	if e.Path == "/" {
		return nil
	}
	top, rest, _ := strings.Cut(e.Path[1:], "/")
	rest = "/" + rest
	switch {
	case top == "usr":
		s.placeUsr(e, rest)
	case top == "etc":
		s.move(s.etc, e, rest)
	case top == "boot":
		s.usr.MakeParents(bootPlace, s.mtime)
		s.move(s.usr, e, path.Join(bootPlace, rest))
	case top == "opt":
		s.placeOpt(e, rest)
	case slices.Contains([]string{"var", "home", "root", "srv"}, top):
		s.placeState(e)
	case slices.Contains(onRoot, top):
		if rest != "/" && e.Type != tree.Directory {
			return fmt.Errorf("%s: nothing can be kept below /%s, which is made anew at every boot", e.Path, top)
		}
	default:
		return fmt.Errorf("%s: a machine has no top-level directory /%s", e.Path, top)
	}
	return nil
}

func (s *splitter) move(b *tree.Builder, e tree.Entry, to string) {
	e.Path = to
	b.Put(e)
}

func (s *splitter) placeUsr(e tree.Entry, rest string) {
	switch {
	case rest == "/local" || strings.HasPrefix(rest, "/local/"):
		at := "/var/usrlocal" + strings.TrimPrefix(rest, "/local")
		s.state.MakeParents(at, s.mtime)
		if s.isDeclared(e.Path) {
			s.placeDeclared(e, at)
			return
		}
		s.move(s.state, e, at)
	case strings.HasPrefix(rest, "/lib/modules/"):
		s.modules.MakeParents(rest, s.mtime)
		s.move(s.modules, e, rest)
	default:
		s.move(s.usr, e, rest)
	}
}

// placeOpt keeps what packages have below /opt in the usr tree, with one link
// for each directory there. What is declared beside them is placed as elsewhere.
func (s *splitter) placeOpt(e tree.Entry, rest string) {
	if top, _, _ := strings.Cut(rest[1:], "/"); rest == "/" || !s.vendors[top] {
		s.placeState(e)
		return
	}
	s.usr.MakeParents(optPlace+rest, s.mtime)
	s.move(s.usr, e, optPlace+rest)
	if strings.Count(rest, "/") == 1 {
		s.link(e.Path, "/usr"+optPlace+rest)
	}
}

func (s *splitter) link(name, target string) {
	s.state.MakeParents(name, s.mtime)
	s.state.Put(tree.Entry{Path: name, Type: tree.Symlink, Mode: 0o777, Target: target, Mtime: s.mtime})
}

// placeState divides the state: what is derived from the packages or declared
// lives in the usr tree with a link to it; the rest is the start of a state.
func (s *splitter) placeState(e tree.Entry) {
	for _, l := range s.linked {
		if below, ok := strings.CutPrefix(e.Path, l.from+"/"); ok {
			s.move(s.usr, e, l.to+"/"+below)
			return
		}
	}
	if rule, ok := s.table.Match(e.Path); ok && rule.Class == residue.Derived && e.Type == tree.Directory {
		place := strings.TrimPrefix(rule.Place, "/usr")
		if place == "" {
			place = varPlace + strings.TrimPrefix(e.Path, "/var")
		}
		s.linked = append(s.linked, linkedDirectory{e.Path, place})
		s.usr.MakeParents(place, s.mtime)
		s.move(s.usr, e, place)
		s.link(e.Path, "/usr"+place)
		return
	}
	if s.isDeclared(e.Path) {
		s.placeDeclared(e, e.Path)
		return
	}
	s.state.Put(e)
}

// isDeclared reports whether the machine declares what is at a path, and that it is no
// directory: a directory of the state is a place for more.
func (s *splitter) isDeclared(name string) bool {
	f, ok := s.machine.Files[name]
	return ok && f.Kind != machine.FileDirectory
}

// placeDeclared keeps what is declared in the usr tree, and has a link at its place in
// the state.
func (s *splitter) placeDeclared(e tree.Entry, at string) {
	if e.Type == tree.Symlink && !strings.HasPrefix(e.Target, "/") {
		e.Target = path.Join(path.Dir(e.Path), e.Target) // it is read from another place
	}
	place := filesPlace + e.Path
	s.link(at, "/usr"+place)
	s.usr.MakeParents(place, s.mtime)
	s.move(s.usr, e, place)
}
