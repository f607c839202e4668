package ledger

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stet/internal/residue"
	"stet/internal/tree"
	"stet/internal/unit"
	"stet/internal/verity"
)

// Store has the trees of systems, as their texts, and the contents of their files.
type Store interface {
	ReadTreeText(digest string, buffer []byte) ([]byte, error)
	ReadObject(verity.Digest) ([]byte, error)
}

// Reader reads what systems say of their state. Systems of one machine have most
// files in common: what a content says is read once.
type Reader struct {
	store Store
	table *residue.Table
	said  map[string][]string // kind of file and digest to paths
	text  []byte              // memory for the texts of trees
}

// NewReader makes a reader of the systems in a store. The table says what services
// keep.
func NewReader(store Store, table *residue.Table) *Reader {
	return &Reader{store: store, table: table, said: map[string][]string{}}
}

// Where a system has what is read, in its usr tree.
const (
	database        = "/lib/sysimage/dpkg/info"
	tmpfilesDir     = "/lib/tmpfiles.d"
	unitsDir        = "/lib/systemd/system"
	declaredPlace   = "/usr/lib/stet/files/" // what declared links lead to
	serviceMarksDir = "/var/lib/stet"
	updatedMark     = "/var/.updated"
)

// Read reads a system by the digests of its trees usr, etc and var.
func (r *Reader) Read(trees map[string]string) (*Declared, error) {
	s := &reading{Reader: r, Declared: newDeclared(), shippers: map[string][]string{}}
	for name, of := range map[string]struct {
		to   **tree.Tree
		dirs []string
	}{"usr": {&s.usr, []string{database, tmpfilesDir, unitsDir}}, "etc": {&s.etc, nil}, "var": {&s.state, nil}} {
		t, err := r.tree(trees[name], of.dirs)
		if err != nil {
			return nil, fmt.Errorf("%s tree: %w", name, err)
		}
		*of.to = t
	}
	s.claim(serviceMarksDir, declares, Owner{Kind: Stet})
	s.claim(updatedMark, declares, Owner{Kind: Stet})
	for _, step := range []func() error{s.packagesOf, s.tmpfilesOf, s.logsOf, s.unitsOf, s.services, s.accounts} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.varTree()
	s.claimParents()
	return s.Declared, nil
}

// tree reads a tree, or only what it has in some directories: of a usr tree that is a
// small part, and to read the rest takes most of the time.
func (r *Reader) tree(digest string, dirs []string) (*tree.Tree, error) {
	text, err := r.store.ReadTreeText(digest, r.text)
	if err != nil {
		return nil, err
	}
	r.text = text
	if dirs != nil {
		var part []byte
		for line := range bytes.Lines(text) {
			name, _, _ := bytes.Cut(line, []byte(" "))
			if slices.ContainsFunc(dirs, func(dir string) bool { return isOnTheWay(string(name), dir) }) {
				part = append(part, line...)
			}
		}
		text = part
	}
	return tree.ParseOwn(text)
}

// isOnTheWay reports whether a path is a directory, in it, or above it.
func isOnTheWay(name, dir string) bool {
	if _, in := within(name, dir); in || name == "/" {
		return true
	}
	_, above := within(dir, name)
	return above
}

// reading is a system that is being read.
type reading struct {
	*Reader
	*Declared
	usr, etc, state *tree.Tree
	shippers        map[string][]string // path of a file that says something to the packages that ship it
}

// says gives what a file says, as parse reads it; kind tells the ways of reading
// apart.
func (r *Reader) says(kind string, e *tree.Entry, parse func(text string) []string) ([]string, error) {
	if e.Type != tree.Regular || e.Size == 0 {
		return nil, nil
	}
	key := kind + e.Digest.String()
	if said, ok := r.said[key]; ok {
		return said, nil
	}
	text, err := r.store.ReadObject(e.Digest)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Path, err)
	}
	said := parse(string(text))
	r.said[key] = said
	return said, nil
}

// packagesOf reads dpkg's database: what packages ship, and what their scripts name.
func (s *reading) packagesOf() error {
	for e := range s.usr.Below(database) {
		base := path.Base(e.Path)
		kind := path.Ext(base)
		name, _, _ := strings.Cut(strings.TrimSuffix(base, kind), ":")
		switch kind {
		case ".list":
			s.packages[name] = true
			said, err := s.says(kind, e, shipped)
			if err != nil {
				return err
			}
			for _, at := range said {
				if _, ok := Place(at); ok {
					s.claim(at, ships, Owner{Kind: Package, Name: name})
				} else {
					s.shippers[at] = append(s.shippers[at], name)
				}
			}
		case ".preinst", ".postinst", ".prerm", ".postrm":
			said, err := s.says(kind, e, mentioned)
			if err != nil {
				return err
			}
			for _, at := range said {
				s.claim(at, mentions, Owner{Kind: Package, Name: name, By: kind[1:]})
			}
		}
	}
	return nil
}

// shipped gives those paths of a list of dpkg's that are state, or say something of
// it.
func shipped(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		name := strings.TrimSuffix(line, "\n")
		if below, ok := within(name, "/lib/systemd"); ok {
			name = "/usr/lib/systemd" + below
		}
		_, ok := Place(name)
		for _, dir := range []string{"/usr" + tmpfilesDir, "/usr" + unitsDir, "/etc" + tmpfilesEtc, "/etc" + unitsEtc, "/etc" + logsEtc} {
			ok = ok || strings.HasPrefix(name, dir+"/")
		}
		if ok {
			all = append(all, name)
		}
	}
	return all
}

var pathInScript = regexp.MustCompile(`/(?:var|srv|opt|home|usr/local)/[A-Za-z0-9_@.+/-]+`)

// mentioned gives the paths of the state that a maintainer script names: what it
// makes, and what it removes when the package is purged, which no other part of a
// package tells.
func mentioned(text string) []string {
	var all []string
	for _, span := range pathInScript.FindAllStringIndex(text, -1) {
		if span[0] > 0 && strings.ContainsRune(`abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.}*$-`, rune(text[span[0]-1])) {
			continue // the end of a longer path
		}
		name := text[span[0]:span[1]]
		if span[1] < len(text) && strings.IndexByte("*?[${`\\", text[span[1]]) >= 0 {
			name = name[:strings.LastIndexByte(name, '/')] // only a part of a name
		}
		if name = path.Clean(strings.TrimRight(name, ".")); isState(name) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// The same in its etc tree.
const (
	tmpfilesEtc = "/tmpfiles.d"
	unitsEtc    = "/systemd/system"
	logsEtc     = "/logrotate.d"
)

// byFile is the owner of what a file of the system says: the packages that ship it,
// else the unit that it is, else the configuration.
func (s *reading) byFile(name, unit string) []Owner {
	var owners []Owner
	for _, p := range s.shippers[name] {
		owners = append(owners, Owner{Kind: Package, Name: p, By: name})
	}
	switch {
	case owners != nil:
	case unit != "":
		owners = []Owner{{Kind: Unit, Name: unit, By: name}}
	default:
		owners = []Owner{{Kind: Configuration, By: name}}
	}
	return owners
}

// tmpfilesOf reads tmpfiles.d(5): a file in /etc stands for one of its name in /usr.
func (s *reading) tmpfilesOf() error {
	own := map[string]bool{}
	for _, from := range []struct {
		tree   *tree.Tree
		top    string
		within string
	}{{s.etc, "/etc", tmpfilesEtc}, {s.usr, "/usr", tmpfilesDir}} {
		for e := range from.tree.Below(from.within) {
			base := path.Base(e.Path)
			if own[base] || !strings.HasSuffix(base, ".conf") {
				continue
			}
			own[base] = true
			said, err := s.says("tmpfiles", e, tmpfiles)
			if err != nil {
				return err
			}
			for _, name := range said {
				for _, owner := range s.byFile(from.top+e.Path, "") {
					s.claim(name, ships, owner)
				}
			}
		}
	}
	return nil
}

// logsOf reads logrotate(8)'s files: who has a log rotated, writes it.
func (s *reading) logsOf() error {
	for e := range s.etc.Below(logsEtc) {
		said, err := s.says("logrotate", e, rotated)
		if err != nil {
			return err
		}
		for _, name := range said {
			for _, owner := range s.byFile("/etc"+e.Path, "") {
				s.claim(name, ships, owner)
				s.claim(name+`[.\-]*`, ships, owner) // what was rotated
			}
		}
	}
	return nil
}

// rotated gives the paths, or patterns, of the logs that a file of logrotate(8)'s
// names: words before a brace.
func rotated(text string) []string {
	var all []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if inside || line == "" || line[0] == '#' {
			inside = inside && line != "}"
			continue
		}
		line, _, inside = strings.Cut(line, "{")
		for line != "" {
			var name string
			if name, line = word(strings.TrimSpace(line)); path.IsAbs(name) {
				all = append(all, path.Clean(name))
			}
		}
	}
	return all
}

// unitsOf reads which directories units have (systemd.exec(5), "RuntimeDirectory=").
// Files and drop-ins are read each by itself: what one of them takes back is still
// its unit's.
func (s *reading) unitsOf() error {
	for _, from := range []struct {
		tree   *tree.Tree
		top    string
		within string
	}{{s.etc, "/etc", unitsEtc}, {s.usr, "/usr", unitsDir}} {
		for e := range from.tree.Below(from.within) {
			name := path.Base(e.Path)
			if dir := path.Base(path.Dir(e.Path)); strings.HasSuffix(dir, ".d") && strings.HasSuffix(name, ".conf") {
				name = strings.TrimSuffix(dir, ".d")
			} else if path.Dir(e.Path) != from.within {
				continue
			}
			s.units[name] = true
			if !slices.Contains([]string{"service", "socket", "mount", "swap"}, unit.Type(name)) {
				continue
			}
			said, err := s.says("unit", e, unitDirectories)
			if err != nil {
				return err
			}
			for _, at := range said {
				for _, owner := range s.byFile(from.top+e.Path, name) {
					s.claim(at, ships, owner)
				}
			}
		}
	}
	return nil
}

// unitDirectories gives the directories of a unit's state.
func unitDirectories(text string) []string {
	u := unit.Understand(text)
	var all []string
	for section := range u.Sections {
		for _, of := range []struct{ key, top string }{{"StateDirectory", "/var/lib"}, {"CacheDirectory", "/var/cache"}, {"LogsDirectory", "/var/log"}} {
			for _, word := range u.List(section, of.key) {
				// "directory:symlink:flags"
				for i, name := range strings.Split(word, ":") {
					if name = fill(name, map[byte]string{'%': "%"}); name == "" || i > 1 {
						continue
					}
					all = append(all, path.Join(of.top, name))
					if i == 0 {
						all = append(all, path.Join(of.top, "private", name)) // with DynamicUser=
					}
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// services reads the residue table: what services that are there keep.
func (s *reading) services() error {
	for _, rule := range s.table.Rules {
		if rule.Class != residue.Service || !s.packages[rule.Package] {
			continue
		}
		for _, name := range rule.Patterns {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "**"), "/")
			s.claim(name, ships, Owner{Kind: Package, Name: rule.Package, By: "residue table"})
		}
	}
	return nil
}

// accounts reads passwd(5).
func (s *reading) accounts() error {
	e, ok := s.etc.Lookup("/passwd")
	if !ok {
		return nil
	}
	said, err := s.says("passwd", e, func(text string) []string { return strings.Split(text, "\n") })
	if err != nil {
		return err
	}
	for _, line := range said {
		fields := strings.Split(line, ":")
		if len(fields) < 7 {
			continue
		}
		s.users[fields[0]] = true
		if home := path.Clean(fields[5]); home == "/root" || path.Dir(home) == "/home" {
			s.claim(home, declares, Owner{Kind: User, Name: fields[0], By: "/etc/passwd"}) // whoever made it
		} else {
			s.claim(home, lives, Owner{Kind: User, Name: fields[0], By: "/etc/passwd"})
		}
	}
	return nil
}

// varTree reads what the system itself puts there.
func (s *reading) varTree() {
	for e := range s.state.All() {
		name := Name(e.Path[1:])
		switch {
		case e.Type == tree.Symlink && strings.HasPrefix(e.Target, declaredPlace):
			s.claim(name, declares, Owner{Kind: Configuration})
		case strings.HasPrefix(name, "/srv/") || strings.HasPrefix(name, "/home/"):
			s.claim(name, has, Owner{Kind: Configuration}) // scripts have nothing to do there
		default:
			s.claim(name, has, Owner{Kind: System})
		}
	}
}

// Users reads passwd(5): who has which number now.
func Users(passwd string) map[uint32]string {
	users := map[uint32]string{}
	for line := range strings.Lines(passwd) {
		fields := strings.Split(line, ":")
		if len(fields) < 7 {
			continue
		}
		if uid, err := strconv.ParseUint(fields[2], 10, 32); err == nil && users[uint32(uid)] == "" {
			users[uint32(uid)] = fields[0]
		}
	}
	return users
}
