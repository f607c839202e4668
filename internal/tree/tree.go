package tree

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"stet/internal/verity"
)

// Tree is an immutable set of entries, sorted by path in byte order, in which
// every entry but the root has a parent that is a directory.
type Tree struct {
	entries []Entry
}

// New makes a tree of entries, which it sorts in place and keeps.
func New(entries []Entry) (*Tree, error) {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return sorted(entries)
}

// sorted makes a tree of entries that are sorted by path.
func sorted(entries []Entry) (*Tree, error) {
	t := &Tree{entries: entries}
	inside := "" // the directory that the entry before is in, with a slash
	for i := range entries {
		e := &entries[i]
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("tree: %w", err)
		}
		if i > 0 && entries[i-1].Path == e.Path {
			return nil, fmt.Errorf("tree: %s is there twice", e.Path)
		}
		if e.Path == "/" {
			if e.Type != Directory {
				return nil, fmt.Errorf("tree: the root is a %s", e.Type)
			}
			continue
		}
		dir := e.Path[:strings.LastIndexByte(e.Path, '/')+1]
		if dir == inside {
			continue
		}
		parent, ok := t.lookup(path.Dir(e.Path), i)
		if !ok || parent.Type != Directory {
			return nil, fmt.Errorf("tree: %s has no parent directory", e.Path)
		}
		inside = dir
	}
	return t, nil
}

// Len is the number of entries.
func (t *Tree) Len() int { return len(t.entries) }

// All gives every entry, sorted by path: parents before their children. The
// entries must not be changed.
func (t *Tree) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for i := range t.entries {
			if !yield(&t.entries[i]) {
				return
			}
		}
	}
}

// Bytes is how many bytes the contents have, each once.
func (t *Tree) Bytes() int64 {
	seen := map[verity.Digest]bool{}
	var sum int64
	for i := range t.entries {
		if e := &t.entries[i]; !seen[e.Digest] {
			seen[e.Digest] = true
			sum += e.Size
		}
	}
	return sum
}

// Lookup gives the entry at an absolute, clean path.
func (t *Tree) Lookup(name string) (*Entry, bool) { return t.lookup(name, len(t.entries)) }

func (t *Tree) lookup(name string, end int) (*Entry, bool) {
	i, found := slices.BinarySearchFunc(t.entries[:end], name, func(e Entry, name string) int {
		return cmp.Compare(e.Path, name)
	})
	if !found {
		return nil, false
	}
	return &t.entries[i], true
}

// Below gives the entries below a directory, without the directory itself.
func (t *Tree) Below(dir string) iter.Seq[*Entry] {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	start, _ := slices.BinarySearchFunc(t.entries, prefix, func(e Entry, prefix string) int {
		return cmp.Compare(e.Path, prefix)
	})
	return func(yield func(*Entry) bool) {
		for i := start; i < len(t.entries) && strings.HasPrefix(t.entries[i].Path, prefix); i++ {
			if t.entries[i].Path != "/" && !yield(&t.entries[i]) {
				return
			}
		}
	}
}

// Subtree gives what is at and below dir, re-rooted at "/".
func (t *Tree) Subtree(dir string) (*Tree, error) {
	root, ok := t.Lookup(dir)
	if !ok || root.Type != Directory {
		return nil, fmt.Errorf("tree: %s is not a directory", dir)
	}
	top := *root
	top.Path = "/"
	entries := []Entry{top}
	for e := range t.Below(dir) {
		moved := *e
		moved.Path = e.Path[len(strings.TrimSuffix(dir, "/")):]
		entries = append(entries, moved)
	}
	return New(entries)
}

// Builder collects entries by path, later ones replacing earlier ones.
type Builder struct {
	base    []Entry           // of the tree that it began with, sorted, and not its own
	changes map[string]*Entry // against the base; nil is for what is gone
}

// NewBuilder starts with the entries of the given trees, in their order.
func NewBuilder(trees ...*Tree) *Builder {
	b := &Builder{changes: map[string]*Entry{}}
	for i, t := range trees {
		if i == 0 {
			b.base = t.entries
			continue
		}
		for e := range t.All() {
			b.Put(*e)
		}
	}
	return b
}

// Put adds an entry or replaces the one at its path.
func (b *Builder) Put(e Entry) { b.changes[e.Path] = &e }

// Get gives the entry at a path.
func (b *Builder) Get(name string) (Entry, bool) {
	if e, changed := b.changes[name]; changed {
		if e == nil {
			return Entry{}, false
		}
		return *e, true
	}
	if i, ok := search(b.base, name); ok {
		return b.base[i], true
	}
	return Entry{}, false
}

// search finds the place of a path among sorted entries.
func search(entries []Entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e Entry, name string) int { return cmp.Compare(e.Path, name) })
}

// Remove takes away the entry at a path and all below it.
func (b *Builder) Remove(name string) {
	e, ok := b.Get(name)
	if !ok {
		return
	}
	b.changes[name] = nil
	if e.Type != Directory {
		return
	}
	prefix := strings.TrimSuffix(name, "/") + "/"
	maps.DeleteFunc(b.changes, func(p string, _ *Entry) bool { return strings.HasPrefix(p, prefix) && p != name })
	first, _ := search(b.base, prefix)
	for _, below := range b.base[first:] {
		if !strings.HasPrefix(below.Path, prefix) {
			break
		}
		b.changes[below.Path] = nil
	}
}

// MakeParents adds the missing parent directories of a path: owned by root,
// mode 0755, with the given time.
func (b *Builder) MakeParents(name string, mtime Time) {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if _, ok := b.Get(dir); ok {
			return
		}
		b.Put(Entry{Path: dir, Type: Directory, Mode: 0o755, Mtime: mtime})
		if dir == "/" {
			return
		}
	}
}

// Entries gives what was collected, sorted by path. They are copies.
func (b *Builder) Entries() []Entry { return b.changed(b.base, slices.Sorted(maps.Keys(b.changes))) }

// Below gives what was collected below a directory, sorted by path, without the directory
// itself. They are copies.
func (b *Builder) Below(dir string) []Entry {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	first, _ := search(b.base, prefix)
	end := first
	for end < len(b.base) && strings.HasPrefix(b.base[end].Path, prefix) {
		end++
	}
	var names []string
	for name := range b.changes {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	below := b.changed(b.base[first:end], names)
	return slices.DeleteFunc(below, func(e Entry) bool { return e.Path == "/" })
}

// changed gives sorted entries of the base with the changes of these names, sorted too.
func (b *Builder) changed(base []Entry, names []string) []Entry {
	out := make([]Entry, 0, len(base)+len(names))
	rest := base
	for _, name := range names {
		n, replaces := search(rest, name)
		out = append(out, rest[:n]...)
		rest = rest[n:]
		if replaces {
			rest = rest[1:]
		}
		if e := b.changes[name]; e != nil {
			out = append(out, *e)
		}
	}
	return append(out, rest...)
}

// Tree ends the collection.
func (b *Builder) Tree() (*Tree, error) { return sorted(b.Entries()) }
