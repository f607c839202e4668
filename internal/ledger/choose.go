package ledger

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Refused is what was asked for and cannot go.
type Refused struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Choose picks what may be taken away. Without names that is what has lost its owner;
// a name stands for all parts at and below it, and then for those, too, that nobody
// ever declared. What is within another part that goes, goes with it.
func Choose(entries []Entry, names []string) (chosen []Entry, refused []Refused) {
	var wanted []Entry
	for _, e := range entries {
		if len(names) == 0 && e.Standing == Orphan {
			wanted = append(wanted, e)
		}
	}
	for _, name := range names {
		name = path.Clean(name)
		found := false
		for _, e := range entries {
			_, at := within(e.Path, name)
			switch {
			case !at:
			case e.Standing != Owned:
				found = true
				if !slices.ContainsFunc(wanted, func(w Entry) bool { return w.Path == e.Path }) {
					wanted = append(wanted, e)
				}
			case e.Path == name:
				found = true
				refused = append(refused, Refused{name, "it is of " + e.Whose()})
			}
		}
		if !found {
			refused = append(refused, Refused{name, "it is no part of the state that has lost its owner"})
		}
	}
	for _, e := range wanted {
		if why := holds(entries, e); why != "" {
			refused = append(refused, Refused{e.Path, why})
			continue
		}
		chosen = append(chosen, e)
	}
	return outermost(chosen), refused
}

// holds says what below a part keeps it.
func holds(entries []Entry, e Entry) string {
	for _, other := range entries {
		below, ok := within(other.Path, e.Path)
		switch {
		case !ok:
		case other.Mount && below == "":
			return "something is mounted on it"
		case other.Mount:
			return "something is mounted on " + other.Path
		case other.Standing == Owned:
			return fmt.Sprintf("%s is of %s", other.Path, other.Whose())
		}
	}
	return ""
}

// outermost leaves out what is within another, and gives that its size.
func outermost(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) }) // parents come first
	var out []Entry
	for _, e := range entries {
		at := slices.IndexFunc(out, func(o Entry) bool { return strings.HasPrefix(e.Path, o.Path+"/") })
		if at < 0 {
			out = append(out, e)
			continue
		}
		around := &out[at]
		around.Bytes, around.Files, around.Part = around.Bytes+e.Bytes, around.Files+e.Files, around.Part || e.Part
		if e.LastUse.After(around.LastUse) {
			around.LastUse = e.LastUse
		}
	}
	return out
}
