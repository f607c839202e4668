package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/tree"
	"stet/internal/unified"
)

// largest is the size of a text up to which its differences are shown.
const largest = 256 << 10

// changes are the paths of the machine that are others: what reads them when it
// starts may care.
type changes struct {
	paths []string // sorted
}

// at reports whether something is another at a path, below it, or where a
// pattern of path.Match matches; and gives the first such path.
func (c *changes) at(pattern string) (string, bool) {
	if strings.ContainsAny(pattern, "*?[") {
		for _, name := range c.paths {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				return name, true
			}
		}
		return "", false
	}
	pattern = strings.TrimSuffix(pattern, "/")
	if _, ok := slices.BinarySearch(c.paths, pattern); ok {
		return pattern, true
	}
	below := pattern + "/"
	if i, _ := slices.BinarySearch(c.paths, below); i < len(c.paths) && strings.HasPrefix(c.paths[i], below) {
		return c.paths[i], true
	}
	return "", false
}

// matching gives the first changed path of which a pattern of the residue
// table's kind is: "**" at the end is anything at all.
func (c *changes) matching(patterns []string) (string, bool) {
	for _, pattern := range patterns {
		if dir, ok := strings.CutSuffix(pattern, "/**"); ok {
			if name, ok := c.at(dir); ok {
				return name, true
			}
			continue
		}
		if name, ok := c.at(pattern); ok {
			return name, true
		}
	}
	return "", false
}

// compareTrees notes what is another in /etc and /usr, and makes the list of
// files that people see.
func (m *maker) compareTrees() error {
	for _, name := range []string{etcTree, usrTree} {
		if m.old.Trees[name] == m.new.Trees[name] {
			continue
		}
		old, err := m.old.tree(name)
		if err != nil {
			return err
		}
		next, err := m.new.tree(name)
		if err != nil {
			return err
		}
		for change := range tree.Diff(old, next) {
			if isSameFile(change) {
				continue
			}
			at := onMachine(name, change.Path())
			m.changed.paths = append(m.changed.paths, at)
			if name == usrTree && !strings.HasPrefix(change.Path(), filesPlace+"/") {
				continue
			}
			file, err := m.file(at, change)
			if err != nil {
				return err
			}
			m.plan.Files = append(m.plan.Files, file)
		}
	}
	slices.Sort(m.changed.paths)
	slices.SortFunc(m.plan.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// isSameFile reports whether two entries differ in nothing but their time.
func isSameFile(c tree.Change) bool {
	return c.Old != nil && c.New != nil && c.Old.SameContent(c.New) && c.Old.SameMetadata(c.New)
}

func (m *maker) file(at string, c tree.Change) (File, error) {
	f := File{Path: at, Old: stat(c.Old), New: stat(c.New)}
	if c.Old != nil && c.New != nil && c.Old.SameContent(c.New) {
		return f, nil
	}
	var err error
	f.Diff, f.Hidden, err = m.difference(c.Old, c.New)
	if err != nil {
		return f, fmt.Errorf("%s: %w", at, err)
	}
	return f, nil
}

func stat(e *tree.Entry) *Stat {
	if e == nil {
		return nil
	}
	return &Stat{Type: e.Type.String(), Mode: fmt.Sprintf("%04o", e.Mode), UID: e.UID, GID: e.GID, Size: e.Size, Target: e.Target}
}

// difference compares two contents, either of which may be missing, or says why
// it does not. A plan is printed, logged and mailed: it never has what only some
// may read.
func (m *maker) difference(old, next *tree.Entry) (diff, hidden string, err error) {
	var texts [2]string
	for i, e := range []*tree.Entry{old, next} {
		switch {
		case e == nil || e.Type != tree.Regular:
			continue
		case e.Mode&0o004 == 0:
			return "", HiddenSecret, nil
		case e.Size > largest:
			return "", HiddenLarge, nil
		}
		content, err := m.store.ReadObject(e.Digest)
		if err != nil {
			return "", "", err
		}
		if !unified.IsText(content) {
			return "", HiddenBinary, nil
		}
		texts[i] = string(content)
	}
	return unified.Diff(texts[0], texts[1]), "", nil
}
