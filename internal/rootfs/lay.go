package rootfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stet/internal/lock"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// lay makes of the merged files of packages what dpkg would have made by
// unpacking the others over what is configured. What is dropped in the end
// anyway (logs, locks, backups) is left behind here.
func (c *configured) lay(s *store.Store, m *merged, packages []*Package, table *residue.Table) error {
	if c == nil {
		return nil
	}
	l := laying{below: c, m: m, table: table, shipped: map[string]*Package{}}
	for _, p := range packages {
		if c.has(p) {
			continue
		}
		for e := range p.Files.All() {
			if e.Type == tree.Directory {
				l.shipped[unalias(e)] = p
			}
		}
	}
	if err := l.divert(s); err != nil {
		return err
	}
	if err := l.override(s); err != nil {
		return err
	}
	return l.scripts()
}

// laying is the work of laying packages over those that are configured.
type laying struct {
	below   *configured
	m       *merged
	table   *residue.Table
	shipped map[string]*Package // directories of packages that are not configured
}

// over gives the package that is not configured whose file is at a path.
func (l *laying) over(name string) *Package {
	if owner := l.m.owners[name]; owner != nil && !l.below.has(owner) {
		return owner
	}
	return nil
}

// scripts carries over what scripts did. A file of a package that is not
// configured stands over whatever was at its path, as when dpkg
// unpacks it; a directory that was there stays as it is.
func (l *laying) scripts() error {
	var removed []string
	for change := range tree.Diff(l.below.before, l.below.after) {
		name := change.Path()
		if isScaffold(name) || isRewritten(name) || l.isDropped(change) {
			continue
		}
		if change.New == nil {
			removed = append(removed, name)
			continue
		}
		e := *change.New
		have, there := l.m.files.Get(name)
		switch {
		case !there || e.Type == tree.Directory && have.Type == tree.Directory:
		case l.over(name) != nil:
			if e.Type == tree.Directory {
				return l.clash(l.over(name), name, &have, &e)
			}
			continue
		case have.Type == tree.Directory:
			if by := l.shipped[name]; by != nil {
				return l.clash(by, name, &have, &e)
			}
			l.m.files.Remove(name)
		}
		l.m.files.Put(e)
	}
	slices.Reverse(removed) // what is in a directory comes before it
	for _, name := range removed {
		if l.over(name) == nil && l.shipped[name] == nil {
			l.m.files.Remove(name)
		}
	}
	return nil
}

func (l *laying) clash(by *Package, name string, have, made *tree.Entry) error {
	return fmt.Errorf("package %s %s ships %s as a %s, but a script of another package made a %s of it: leave the package out",
		by.Name, by.Version, name, have.Type, made.Type)
}

func (l *laying) isDropped(change tree.Change) bool {
	if change.New != nil && change.New.Type == tree.Directory || change.Old != nil && change.Old.Type == tree.Directory {
		return false
	}
	rule, ok := l.table.Match(change.Path())
	return ok && rule.Class == residue.Dropped
}

// isRewritten reports whether a path of dpkg's database is a function of all
// packages and therefore written anew, and not as it was below.
// Triggers that are not incorporated yet are what dpkg has of its own there.
func isRewritten(name string) bool {
	below, ok := strings.CutPrefix(name, databaseDir+"/triggers/")
	return ok && below != "Unincorp" || name == databaseDir+"/status"
}

// divert moves the files that scripts diverted (dpkg-divert(1)).
// The package that diverts, if any, has its own file at the path itself.
func (l *laying) divert(s *store.Store) error {
	text, err := readFile(s, l.below.after, databaseDir+"/diversions")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for ; len(lines) >= 3; lines = lines[3:] {
		from, to, by := unaliasFile(lines[0]), unaliasFile(lines[1]), lines[2]
		p := l.over(from)
		if p == nil || p.Name == by {
			continue
		}
		e, _ := l.m.files.Get(from)
		l.m.files.Remove(from)
		delete(l.m.owners, from)
		e.Path = to
		l.m.files.Put(e)
		l.m.owners[to] = p
	}
	return nil
}

func unaliasFile(name string) string {
	return unalias(&tree.Entry{Path: name, Type: tree.Regular})
}

// override gives paths the owner and mode that scripts asked for
// before they were there (dpkg-statoverride(1)).
func (l *laying) override(s *store.Store) error {
	all, err := readOverrides(s, l.below.after)
	if err != nil || len(all) == 0 {
		return err
	}
	ids, err := IDs(s, l.below.after)
	if err != nil {
		return err
	}
	for _, o := range all {
		e, there := l.m.files.Get(o.path)
		_, had := l.below.before.Lookup(o.path)
		if !there || l.over(o.path) == nil && (e.Type != tree.Directory || had) {
			continue // the script itself has applied it
		}
		if err := o.apply(&e, ids); err != nil {
			return fmt.Errorf("read %s/statoverride: %s: %w", databaseDir, o.path, err)
		}
		l.m.files.Put(e)
	}
	return nil
}

// statOverride is a line "USER GROUP MODE PATH" of dpkg's list.
type statOverride struct{ user, group, mode, path string }

func readOverrides(s *store.Store, t *tree.Tree) (all []statOverride, err error) {
	text, err := readFile(s, t, databaseDir+"/statoverride")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 4 {
			return nil, fmt.Errorf("read %s/statoverride: %q is no override", databaseDir, strings.TrimSpace(line))
		}
		all = append(all, statOverride{words[0], words[1], words[2], unaliasFile(words[3])})
	}
	return all, nil
}

// apply gives an entry its owner and mode.
func (o statOverride) apply(e *tree.Entry, ids lock.IDs) error {
	number := func(word string, known int, ok bool) (uint32, error) {
		if digits, numeric := strings.CutPrefix(word, "#"); numeric {
			n, err := strconv.ParseUint(digits, 10, 32)
			return uint32(n), err
		}
		if !ok {
			return 0, fmt.Errorf("%s has no number", word)
		}
		return uint32(known), nil
	}
	user, ok := ids.Users[o.user]
	uid, err := number(o.user, user.UID, ok)
	if err != nil {
		return err
	}
	group, ok := ids.Groups[o.group]
	gid, err := number(o.group, group, ok)
	if err != nil {
		return err
	}
	mode, err := strconv.ParseUint(o.mode, 8, 12)
	if err != nil {
		return err
	}
	e.UID, e.GID, e.Mode = uid, gid, uint32(mode)
	return nil
}
