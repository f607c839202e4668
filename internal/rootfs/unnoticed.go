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
// puts something into: to do so it names that, or a script that it calls does. What a
// trigger tells it, it does again.
func unnoticed(s *store.Store, packages []*Package, below *configured) (reason string, err error) {
	w := witnesses{store: s, words: map[string][]int{}, usual: map[string]bool{initScripts: true}, changed: map[string]bool{}}
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
	if err := w.addCalled(packages, added); err != nil {
		return "", err
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
	words   map[string][]int // and paths: which scripts have them
	shipped []*Package       // whose scripts they are
	usual   map[string]bool  // directories of the base: that a script names one says nothing
	changed map[string]bool  // paths that scripts changed
}

// repetition is what scripts do to the files that all packages have in a directory, where
// packages do it again to their own by a line of their postinst, which ends with their
// name: whether one was there when they ran makes no difference.
type repetition struct {
	dir     string
	scripts []string
	line    string
}

var repetitions = []repetition{{
	dir: "/usr/lib/python3/dist-packages",
	scripts: []string{
		"/usr/share/python3/runtime.d/public_modules.rtinstall",
		"/usr/share/python3/runtime.d/public_modules.rtremove",
	},
	line: "py3compile -p ", // without options, all its modules that are public
}}

// initScripts is where init-system-helpers look for what one package has to start.
const initScripts = "/etc/init.d"

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
	for _, text := range texts {
		if err := w.addText(text); err != nil {
			return err
		}
	}
	w.shipped = append(w.shipped, p)
	return nil
}

func (w *witnesses) addText(text scriptText) error {
	interests, err := interestsOf(w.store, text.of)
	if err != nil {
		return err
	}
	var waits []string
	for _, i := range interests {
		waits = append(waits, i.name)
	}
	for word := range words(text.text) {
		if in := w.words[word]; len(in) == 0 || in[len(in)-1] != len(w.ran) {
			w.words[word] = append(in, len(w.ran))
		}
	}
	w.ran = append(w.ran, witness{text, waits})
	return nil
}

// addCalled adds the scripts that are called by those that ran, and so on.
func (w *witnesses) addCalled(packages, added []*Package) error {
	known := map[string]bool{}
	for count := -1; count != len(w.ran); {
		count = len(w.ran)
		for _, p := range packages {
			if slices.Contains(added, p) {
				continue
			}
			for e := range p.Files.All() {
				where := unalias(e)
				if known[where] || !w.isCalled(where) {
					continue
				}
				known[where] = true
				text, err := p.programText(w.store, e)
				if err != nil {
					return err
				}
				if text != nil {
					if err := w.addText(*text); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// isCalled reports whether a script that ran has the name of a command, or the path of
// another file or of its directory.
func (w *witnesses) isCalled(where string) bool {
	dir := path.Dir(where)
	if dir == initScripts {
		return false // nothing is started while scripts run
	}
	if slices.Contains(commandPlaces, dir) {
		return len(w.words[path.Base(where)]) > 0
	}
	return len(w.words[where]) > 0 || !w.usual[dir] && len(w.words[dir]) > 0
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
	postinst, err := p.controlFile(w.store, "postinst")
	if err != nil {
		return "", err
	}
	for _, mark := range marksOf(p, w.usual) {
		if by := w.noticing(mark, p.repeats(postinst, mark)); by != nil {
			return fmt.Sprintf("the %s of %s names %s, which %s has", by.name, by.of.Name, mark, p.Name), nil
		}
	}
	return "", nil
}

// marksOf gives that by which a script could notice a package: names, and paths of files
// and directories.
func marksOf(p *Package, usual map[string]bool) (all []string) {
	known := map[string]bool{}
	add := func(mark string) {
		if !known[mark] {
			known[mark] = true
			all = append(all, mark)
		}
	}
	add(p.Name)
	for _, provided := range p.Provides {
		add(provided[0].Name)
	}
	for e := range p.Files.All() {
		if e.Type == tree.Directory {
			continue
		}
		where := unalias(e)
		dir := path.Dir(where)
		if slices.Contains(commandPlaces, dir) {
			add(path.Base(where))
		}
		add(where)
		for ; dir != "/" && !usual[dir]; dir = path.Dir(dir) {
			add(dir)
		}
	}
	return all
}

// repeats gives the scripts that do nothing at a path which the package's own postinst
// does not do again.
func (p *Package) repeats(postinst []byte, at string) (scripts []string) {
	for _, r := range repetitions {
		if !isBelow(at, r.dir) {
			continue
		}
		for line := range bytes.Lines(postinst) {
			if string(bytes.TrimSpace(line)) == r.line+p.Name {
				scripts = append(scripts, r.scripts...)
				break
			}
		}
	}
	return scripts
}

// noticing gives a script that has a mark, out of those that say something by it; nil
// where triggers tell all that do.
func (w *witnesses) noticing(mark string, repeated []string) *witness {
	told := func(at string) bool { return isBelow(mark, at) }
	for _, i := range w.words[mark] {
		by := &w.ran[i]
		if !slices.ContainsFunc(by.waits, told) && !slices.Contains(repeated, by.name) {
			return by
		}
	}
	return nil
}

func isBelow(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
