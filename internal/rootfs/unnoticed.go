package rootfs

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/store"
	"stet/internal/tree"
)

// unnoticed reports whether packages can be laid over a root in which all others are
// configured, as if they had been there when the others' scripts ran. The reason says
// what speaks against it; "" is nothing.
//
// Scripts of the base run without them anyway ([Layers]). Any other script could look
// whether a package, or a command of it, is there, or go through a directory that it
// puts something into: to do so it names that. What a trigger tells it, it does again.
func unnoticed(s *store.Store, packages []*Package, below *configured) (reason string, err error) {
	w := witnesses{store: s, usual: map[string]bool{}, changed: map[string]bool{}}
	for change := range tree.Diff(below.before, below.after) {
		w.changed[change.Path()] = true
	}
	base := baseOf(packages)
	var added []*Package
	for _, p := range packages {
		switch {
		case base[p] && !below.has(p):
			return fmt.Sprintf("%s is of the base", p.Name), nil
		case base[p]:
			w.addUsual(p)
		case below.has(p):
			if err := w.add(p); err != nil {
				return "", err
			}
		default:
			added = append(added, p)
		}
	}
	for _, p := range added {
		if reason, err := w.of(p); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// baseOf gives the packages of [Base].
func baseOf(packages []*Package) map[*Package]bool {
	plain := make([]debian.Package, len(packages))
	byKey := map[string]*Package{}
	for i, p := range packages {
		plain[i], byKey[p.key()] = p.Package, p
	}
	base := map[*Package]bool{}
	for _, p := range Base(plain) {
		base[byKey[p.Name+":"+p.Architecture]] = true
	}
	return base
}

// witnesses are the scripts that ran, and what else tells what they could notice.
type witnesses struct {
	store   *store.Store
	ran     []witness
	shipped []*Package      // whose scripts they are
	usual   map[string]bool // directories of the base: that a script names one says nothing
	changed map[string]bool // paths that scripts changed
}

// witness is a script, with the paths at which its package's triggers wait.
type witness struct {
	scriptText
	waits []string
}

func (w *witnesses) addUsual(p *Package) {
	for e := range p.Files.All() {
		if e.Type == tree.Directory {
			w.usual[unalias(e)] = true
		}
	}
}

func (w *witnesses) add(p *Package) error {
	texts, err := p.scriptTexts(w.store)
	if err != nil {
		return err
	}
	interests, err := interestsOf(w.store, p)
	if err != nil {
		return err
	}
	var waits []string
	for _, i := range interests {
		waits = append(waits, i.name)
	}
	for _, text := range texts {
		w.ran = append(w.ran, witness{text, waits})
	}
	w.shipped = append(w.shipped, p)
	return nil
}

// of tells how a package could have been noticed.
func (w *witnesses) of(p *Package) (reason string, err error) {
	preinst, err := p.controlFile(w.store, "preinst")
	if err != nil {
		return "", err
	}
	if bytes.Contains(preinst, []byte(divertProgram)) {
		return fmt.Sprintf("the preinst of %s diverts files", p.Name), nil
	}
	for e := range p.Files.All() {
		name := unalias(e)
		if e.Type == tree.Directory {
			continue
		}
		if w.changed[name] {
			return fmt.Sprintf("scripts made %s, which %s ships", name, p.Name), nil
		}
		for _, other := range w.shipped {
			if _, ok := other.Files.Lookup(e.Path); ok && len(p.Replaces) > 0 {
				return fmt.Sprintf("%s replaces %s of %s", p.Name, name, other.Name), nil
			}
		}
	}
	for _, m := range marksOf(p, w.usual) {
		if i := slices.IndexFunc(w.ran, m.isNoticedBy); i >= 0 {
			by := w.ran[i]
			return fmt.Sprintf("the %s of %s names %s, which %s has", by.name, by.of.Name, m.text, p.Name), nil
		}
	}
	return "", nil
}

// mark is something by which a script could notice a package: a name, or the path of a
// directory.
type mark struct {
	text string
	path bool
}

// commandPlaces are where commands are found by their names.
var commandPlaces = []string{"/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin", "/usr/local/sbin"}

func marksOf(p *Package, usual map[string]bool) (all []mark) {
	known := map[mark]bool{}
	add := func(m mark) {
		if !known[m] {
			known[m] = true
			all = append(all, m)
		}
	}
	add(mark{text: p.Name})
	for _, provided := range p.Provides {
		add(mark{text: provided[0].Name})
	}
	for e := range p.Files.All() {
		if e.Type == tree.Directory {
			continue
		}
		dir := path.Dir(unalias(e))
		if slices.Contains(commandPlaces, dir) {
			add(mark{text: path.Base(e.Path)})
		}
		for ; dir != "/" && !usual[dir]; dir = path.Dir(dir) {
			add(mark{text: dir, path: true})
		}
	}
	return all
}

// isNoticedBy reports whether a script names it, and no trigger tells it.
func (m mark) isNoticedBy(w witness) bool {
	if !m.path {
		return hasWord(w.text, m.text)
	}
	told := func(at string) bool { return m.text == at || strings.HasPrefix(m.text, at+"/") }
	return bytes.Contains(w.text, []byte(m.text)) && !slices.ContainsFunc(w.waits, told)
}
