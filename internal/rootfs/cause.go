package rootfs

import (
	"path"
	"slices"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// Cause is what most likely made a path of a configured root.
type Cause struct {
	Package string // "" when nothing points to one
	By      string // how it is known: "ships it", "postinst names it", …
}

// Causes finds who makes paths: by what packages ship, else by what their
// maintainer scripts name, else by their triggers, else by whose directory it
// is in. It serves messages to people: what cannot be read is passed over.
type Causes struct {
	store    *store.Store
	packages []*Package
	owners   map[string]*Package // of shipped paths that are no directory
	texts    []scriptText
	waiting  map[string][]*Package // file triggers
	above    map[string]*Cause     // what was found for directories
	programs []scriptText          // read when needed
	read     bool
}

// NewCauses reads what the packages say.
func NewCauses(s *store.Store, packages []*Package) *Causes {
	c := &Causes{store: s, packages: sorted(packages), owners: map[string]*Package{}, waiting: map[string][]*Package{}, above: map[string]*Cause{}}
	for _, p := range c.packages {
		for e := range p.Files.All() {
			if e.Type != tree.Directory {
				c.owners[unalias(e)] = p
			}
		}
		texts, _ := p.scriptTexts(s)
		c.texts = append(c.texts, texts...)
		interests, err := interestsOf(s, p)
		if err != nil {
			continue
		}
		for _, i := range interests {
			if strings.HasPrefix(i.name, "/") {
				c.waiting[i.name] = append(c.waiting[i.name], p)
			}
		}
	}
	return c
}

// Of gives the cause of one path.
func (c *Causes) Of(name string) Cause {
	if p := c.owners[name]; p != nil {
		return Cause{p.Name, "ships it"}
	}
	if found := c.named(c.texts, name, "names it"); found != nil {
		return *found
	}
	if found := c.namedInParts(name); found != nil {
		return *found
	}
	if dir := path.Dir(name); !isTooGeneral(dir) {
		if found := c.ofDirectory(dir); found != nil {
			return *found
		}
	}
	c.readPrograms()
	if found := c.named(c.programs, name, "names it"); found != nil {
		return *found
	}
	return c.namesake(name)
}

// namesake finds packages by the first part of a path that says something: one
// of that name, else those that ship something of that name elsewhere.
func (c *Causes) namesake(name string) Cause {
	top := name
	for !isTooGeneral(path.Dir(top)) {
		top = path.Dir(top)
	}
	base, _, _ := strings.Cut(path.Base(top), ".")
	if base == "" {
		return Cause{}
	}
	var names []string
	how := ""
	for _, p := range c.packages {
		if p.Name == base {
			return Cause{base, "has its name"}
		}
		for e := range p.Files.All() {
			if path.Base(e.Path) == base {
				names, how = append(names, p.Name), "ships "+unalias(e)
				break
			}
		}
	}
	if len(names) == 0 || len(names) > 3 {
		return Cause{}
	}
	return Cause{strings.Join(names, " or "), how}
}

// named finds scripts that have a path as it is. When there are several, they
// are all named, up to three.
func (c *Causes) named(texts []scriptText, name, how string) *Cause {
	var names []string
	by := ""
	for _, t := range texts {
		switch {
		case slices.Contains(names, t.of.Name) || !hasWord(t.text, name):
			continue
		case gaveName(t.of.Name, name): // the likeliest of all
			return &Cause{t.of.Name, t.name + " " + how}
		}
		if names = append(names, t.of.Name); by == "" {
			by = t.name + " " + how
		}
	}
	if len(names) == 0 {
		return nil
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return &Cause{strings.Join(names, " or "), by}
}

// gaveName reports whether a part of a path is called after a package, or the
// package after it: /var/cache/man and man-db.
func gaveName(who, name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == who || strings.HasPrefix(part, who) || part != "" && strings.HasPrefix(who, part+"-") {
			return true
		}
	}
	return false
}

// namedInParts finds a script that has a file's name and its directory, which
// it joins by a variable.
func (c *Causes) namedInParts(name string) *Cause {
	dir, base := path.Dir(name), path.Base(name)
	if len(base) < 4 {
		return nil
	}
	for _, t := range c.texts {
		if hasWord(t.text, dir) && hasWord(t.text, base) {
			return &Cause{t.of.Name, t.name + " names its parts"}
		}
	}
	return nil
}

// ofDirectory goes up from a directory until somebody is found.
func (c *Causes) ofDirectory(dir string) *Cause {
	if found, ok := c.above[dir]; ok {
		return found
	}
	var found *Cause
	if waiting := c.waiting[dir]; len(waiting) > 0 {
		found = &Cause{waiting[0].Name, "its trigger " + dir}
	}
	if found == nil {
		found = c.named(c.texts, dir, "names "+dir)
	}
	if found == nil {
		found = c.onlyOwner(dir)
	}
	if parent := path.Dir(dir); found == nil && !isTooGeneral(parent) {
		found = c.ofDirectory(parent)
	}
	c.above[dir] = found
	return found
}

// onlyOwner finds the one package that ships a directory or what is below it.
func (c *Causes) onlyOwner(dir string) *Cause {
	var owner *Package
	for _, p := range c.packages {
		for _, shipped := range []string{dir, strings.TrimPrefix(dir, "/usr")} {
			if _, ok := p.Files.Lookup(shipped); !ok {
				continue
			}
			if owner != nil && owner != p {
				return nil
			}
			owner = p
		}
	}
	if owner == nil {
		return nil
	}
	return &Cause{owner.Name, "ships " + dir}
}

// isTooGeneral tells directories that say nothing of whose they are.
func isTooGeneral(dir string) bool {
	switch dir {
	case "/", "/etc", "/etc/default", "/etc/init.d", "/var", "/var/lib", "/var/cache", "/var/log", "/var/spool",
		"/usr", "/usr/lib", "/usr/share", "/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/home", "/root", "/srv", "/opt":
		return true
	}
	return false
}

// readPrograms reads the scripts among the packages' programs: maintainer
// scripts leave their work to those.
func (c *Causes) readPrograms() {
	if c.read {
		return
	}
	c.read = true
	for _, p := range c.packages {
		for e := range p.Files.All() {
			if where := unalias(e); slices.Contains(commandPlaces, path.Dir(where)) {
				if text, err := p.programText(c.store, e); err == nil && text != nil {
					c.programs = append(c.programs, *text)
				}
			}
		}
	}
}
