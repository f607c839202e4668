package tree

import "iter"

// Change is one path at which two trees differ. Old is nil when the path was
// added, New when it was removed.
type Change struct {
	Old, New *Entry
}

// Path is where the trees differ.
func (c Change) Path() string {
	if c.New != nil {
		return c.New.Path
	}
	return c.Old.Path
}

// Diff gives the differences between two trees in the order of their paths.
func Diff(old, new *Tree) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		i, j := 0, 0
		for i < len(old.entries) || j < len(new.entries) {
			var change Change
			switch {
			case j == len(new.entries) || i < len(old.entries) && old.entries[i].Path < new.entries[j].Path:
				change.Old = &old.entries[i]
				i++
			case i == len(old.entries) || new.entries[j].Path < old.entries[i].Path:
				change.New = &new.entries[j]
				j++
			default:
				change = Change{&old.entries[i], &new.entries[j]}
				i, j = i+1, j+1
				if change.Old.SameContent(change.New) && change.Old.SameMetadata(change.New) && change.Old.Mtime == change.New.Mtime {
					continue
				}
			}
			if !yield(change) {
				return
			}
		}
	}
}
