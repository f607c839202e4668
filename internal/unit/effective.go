package unit

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Files is where unit files lie: the trees of a system, and what a machine has
// in /run. Paths are absolute and clean.
type Files interface {
	// Lookup gives what is at a path, without following it.
	Lookup(name string) (File, bool)
	// Names gives the names in a directory, sorted; none when it is missing.
	Names(dir string) []string
}

// File is one entry among unit files.
type File struct {
	Link string                 // the target of a symlink; else empty
	Read func() (string, error) // the text of a file; nil for what is no file
}

// Text makes a file of its text.
func Text(text string) File {
	return File{Read: func() (string, error) { return text, nil }}
}

// SystemPath is where the system's manager looks for unit files, first to last
// (systemd.unit(5), "UNIT FILE LOAD PATH").
func SystemPath() []string {
	return []string{
		"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
		"/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/run/systemd/generator.late",
	}
}

// UserPath is the part of a user manager's load path that all users share.
func UserPath() []string {
	return []string{
		"/etc/xdg/systemd/user", "/etc/systemd/user", "/run/systemd/user", "/usr/local/share/systemd/user", "/usr/share/systemd/user",
		"/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
	}
}

// Effective is a unit as systemd loads it: its file, with all drop-ins on top.
type Effective struct {
	Name     string   // what every alias leads to
	Fragment string   // the path of its file; empty when it has none
	DropIns  []string // in the order they apply
	Masked   bool
	Unit

	links map[string][]string // key of [Unit] to the units linked in .wants and the like
}

// Missing reports whether nothing says what the unit is.
func (e *Effective) Missing() bool { return e.Fragment == "" && !e.Masked }

// Related gives the units that a key of [Unit] names, and those that directories
// such as NAME.wants name, without repetitions.
func (e *Effective) Related(key string) []string {
	var out []string
	for _, word := range append(e.List("Unit", key), e.links[key]...) {
		if word = fill(word, e.Name); !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// Flag reads a yes or no of Stet's own, such as X-RestartIfChanged. It may be in
// [Unit] or in the section of the unit's type.
func (e *Effective) Flag(key string, otherwise bool) bool {
	return e.Bool("Unit", key, e.Bool(Section(e.Name), key, otherwise))
}

// Section is the section of a unit's type: "Service".
func Section(name string) string {
	kind := Type(name)
	if kind == "" {
		return ""
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

// Loader finds the files that together are a unit. It reads each once.
type Loader struct {
	files   Files
	path    []string
	index   map[string]string   // name of a unit file to the first path that has it
	aliases map[string][]string // name to the names that lead to it
	loaded  map[string]*Effective
}

// NewLoader looks for units in the directories of path, first to last.
func NewLoader(files Files, loadPath []string) *Loader {
	l := &Loader{files: files, path: loadPath, index: map[string]string{}, aliases: map[string][]string{}, loaded: map[string]*Effective{}}
	for _, dir := range loadPath {
		for _, name := range files.Names(dir) {
			if _, ok := l.index[name]; !ok && strings.Contains(name, ".") {
				l.index[name] = dir + "/" + name
			}
		}
	}
	for name, at := range l.index {
		if f, ok := files.Lookup(at); ok && f.Link != "" {
			if to := path.Base(f.Link); to != name && f.Link != "/dev/null" {
				l.aliases[to] = append(l.aliases[to], name)
			}
		}
	}
	for _, names := range l.aliases {
		slices.Sort(names)
	}
	return l
}

// Load gives the unit that a name means. A unit without any file is no error,
// see [Effective.Missing].
func (l *Loader) Load(name string) (*Effective, error) {
	if e, ok := l.loaded[name]; ok {
		return e, nil
	}
	e, err := l.load(name)
	if err != nil {
		return nil, err
	}
	l.loaded[name] = e
	if same, ok := l.loaded[e.Name]; ok {
		l.loaded[name] = same // one value for all names
	}
	l.loaded[e.Name] = l.loaded[name]
	return l.loaded[name], nil
}

func (l *Loader) load(name string) (*Effective, error) {
	e := &Effective{Name: name, Unit: Unit{Sections: map[string][]Assignment{}}, links: map[string][]string{}}
	l.find(e)
	if e.Masked {
		return e, nil
	}
	if e.Fragment != "" {
		text, err := l.text(e.Fragment)
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(text) == "" {
			e.Masked = true // systemd.unit(5): an empty file masks, too
			return e, nil
		}
		e.add(text)
	}
	names := l.names(e.Name)
	for _, at := range l.dropIns(names) {
		text, err := l.text(at)
		if err != nil {
			return nil, err
		}
		e.DropIns = append(e.DropIns, at)
		e.add(text)
	}
	for key, suffix := range map[string]string{"Wants": ".wants", "Requires": ".requires", "Upholds": ".upholds"} {
		for _, at := range l.collect(l.directories(names, suffix, false), func(string) bool { return true }) {
			e.links[key] = append(e.links[key], path.Base(at))
		}
	}
	return e, nil
}

func (e *Effective) add(text string) {
	for section, assignments := range Understand(text).Sections {
		e.Sections[section] = append(e.Sections[section], assignments...)
	}
}

// mostLinks is how many symlinks lead to a file at most.
const mostLinks = 8

// find follows aliases to the unit's own name, and its file.
func (l *Loader) find(e *Effective) {
	for range mostLinks {
		at, ok := l.index[e.Name]
		if !ok {
			at, ok = l.index[FileName(e.Name)]
		}
		if !ok {
			return
		}
		f, _ := l.files.Lookup(at)
		if f.Link == "" {
			e.Fragment = at
			return
		}
		target, ok := l.follow(at)
		if !ok {
			e.Masked = target == "/dev/null"
			return
		}
		base := aliased(e.Name, path.Base(f.Link))
		if base == e.Name {
			e.Fragment = target
			return
		}
		e.Name = base
		if _, known := l.index[FileName(base)]; !known {
			e.Fragment = target
			return
		}
	}
}

// aliased is the name of the unit that a symlink from name to a file called
// base means: an instance stays one.
func aliased(name, base string) string {
	instance := Instance(name)
	if instance == "" || Instance(base) != "" || !strings.Contains(base, "@.") {
		return base
	}
	return strings.Replace(base, "@.", "@"+instance+".", 1)
}

// follow gives the file that the symlinks at a path lead to, or where they end.
func (l *Loader) follow(at string) (string, bool) {
	for range mostLinks {
		f, ok := l.files.Lookup(at)
		if !ok || f.Link == "" {
			return at, ok && f.Read != nil
		}
		if strings.HasPrefix(f.Link, "/") {
			at = path.Clean(f.Link)
		} else {
			at = path.Join(path.Dir(at), f.Link)
		}
	}
	return at, false
}

func (l *Loader) text(at string) (string, error) {
	at, ok := l.follow(at)
	if !ok {
		return "", nil
	}
	f, _ := l.files.Lookup(at)
	return f.Read()
}

// names gives a unit's own name and all that lead to it.
func (l *Loader) names(name string) []string {
	all := []string{name}
	for i := 0; i < len(all) && i < mostLinks; i++ {
		for _, from := range l.aliases[all[i]] {
			if !slices.Contains(all, from) {
				all = append(all, from)
			}
		}
	}
	return all
}

// directories gives the directories that belong to units of these names, the
// strongest first. Drop-ins have more of them: for each dash in the name, and
// for the type.
func (l *Loader) directories(names []string, suffix string, dropIns bool) []string {
	var dirs []string
	for _, dir := range l.path {
		for _, name := range names {
			levels := []string{name}
			if file := FileName(name); file != name {
				levels = append(levels, file)
			}
			if dropIns {
				levels = append(levels, truncated(name)...)
			}
			for _, level := range levels {
				dirs = append(dirs, dir+"/"+level+suffix)
			}
		}
	}
	if dropIns {
		for _, dir := range l.path {
			dirs = append(dirs, dir+"/"+Type(names[0])+suffix)
		}
	}
	return dirs
}

// truncated gives the names whose drop-ins hold for all units that begin so:
// "a-b-c.service" has "a-b-.service" and "a-.service".
func truncated(name string) []string {
	var out []string
	for p := prefix(name); ; {
		dash := strings.LastIndexByte(strings.TrimSuffix(p, "-"), '-')
		if dash < 0 {
			return out
		}
		p = p[:dash+1]
		out = append(out, p+"."+Type(name))
	}
}

func (l *Loader) dropIns(names []string) []string {
	return l.collect(l.directories(names, ".d", true), func(name string) bool { return strings.HasSuffix(name, ".conf") })
}

// collect gives the entries of all directories by name: of two with one name
// the stronger counts, and a symlink to /dev/null takes the name away.
func (l *Loader) collect(dirs []string, want func(name string) bool) []string {
	seen := map[string]bool{}
	var out []string
	for _, dir := range dirs {
		for _, name := range l.files.Names(dir) {
			if seen[name] || !want(name) {
				continue
			}
			seen[name] = true
			if f, ok := l.files.Lookup(dir + "/" + name); ok && f.Link != "/dev/null" {
				out = append(out, dir+"/"+name)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(path.Base(a), path.Base(b)) })
	return out
}

// Names gives the name of a unit and all that lead to it.
func (l *Loader) Names(name string) []string { return l.names(name) }
