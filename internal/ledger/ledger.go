package ledger

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Ledger is what the systems of a machine say of its state.
type Ledger struct {
	running *Declared
	others  []Other
	users   map[uint32]string

	claimed  map[string]bool // by any of them, and not in passing
	patterns []pattern       // of any of them
}

// Other is what another generation says than the one that runs.
type Other struct {
	Generation int
	Later      bool // it comes after the one that runs: its state is still wanted
	*Declared
}

// New makes a ledger of the system that runs, of other generations, the newest first,
// and of the accounts of now, by number.
func New(running *Declared, others []Other, users map[uint32]string) *Ledger {
	l := &Ledger{running: running, others: others, users: users, claimed: map[string]bool{}}
	same := map[string]bool{}
	for _, d := range append([]Other{{Declared: running}}, others...) {
		for name, c := range d.claims {
			if c.rank <= around {
				l.claimed[name] = true
			}
		}
		for _, p := range d.patterns {
			if !same[p.name] {
				same[p.name] = true
				l.patterns = append(l.patterns, p)
			}
		}
	}
	return l
}

// isClaimed reports whether somebody may own just this path, whatever is around it.
// That a script mentions it is too little. A walk asks it of every file there is.
func (l *Ledger) isClaimed(name string) bool {
	return l.claimed[name] || slices.ContainsFunc(l.patterns, func(p pattern) bool { return p.matches(name) })
}

// Seen is what was seen of a part of the state: all at and below a path that is not
// another part.
type Seen struct {
	Path   string
	Type   string // as tree.Type has it
	UID    uint32
	Bytes  int64 // on the disk
	Files  int
	Latest time.Time // when the last of it was written
	Mount  bool      // something is mounted there: it was not looked into
	Part   bool      // not all of it could be looked at
}

// Standing is what has become of the owner of a part of the state.
type Standing string

// The standings.
const (
	Owned   Standing = "owned"
	Orphan  Standing = "orphan"  // only an earlier generation had its owner
	Unknown Standing = "unknown" // no generation that the machine knows ever declared it
)

// Entry is a part of the state, and whose it is.
type Entry struct {
	Path       string    `json:"path"`
	Standing   Standing  `json:"standing"`
	Owners     []Owner   `json:"owners,omitempty"`
	Generation int       `json:"generation,omitempty"` // the last that declared it, where the running one does not
	Writer     string    `json:"writer,omitempty"`     // the user whose files these are, where nobody owns them
	Bytes      int64     `json:"bytes"`
	Files      int       `json:"files"`
	LastUse    time.Time `json:"last_use,omitzero"` // when the last of it was written
	Mount      bool      `json:"mount,omitempty"`   // something is mounted there
	Part       bool      `json:"part,omitempty"`    // not all of it was looked at: there is more
}

// Whose names the owners in words.
func (e *Entry) Whose() string {
	words := make([]string, 0, len(e.Owners))
	for _, o := range e.Owners {
		words = append(words, o.String())
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, ", ")
	case e.Writer != "":
		return "written by " + e.Writer
	}
	return "nobody"
}

// Apart reports whether a path begins a part of its own: it lies in a directory that
// is shared, or others own it than what is around it.
func (l *Ledger) Apart(name string) bool {
	if !isState(name) {
		return false
	}
	if isCommon(path.Dir(name)) || slices.Contains(Areas(), name) {
		return true
	}
	if !l.isClaimed(name) {
		return false
	}
	owners, _ := l.owners(name)
	around, _ := l.owners(l.Part(path.Dir(name)))
	return slices.ContainsFunc(owners, func(o Owner) bool { return !slices.ContainsFunc(around, o.is) })
}

// Part gives the part that a path belongs to; "" for directories that are shared,
// and for what is no state.
func (l *Ledger) Part(name string) string {
	if _, ok := Place(name); !ok {
		return ""
	}
	for ; !isCommon(name) && name != "/"; name = path.Dir(name) {
		if l.Apart(name) {
			return name
		}
	}
	return ""
}

// owners gives those of a path, and which generation says so: nil is the running one,
// else the newest that says anything.
func (l *Ledger) owners(name string) ([]Owner, *Other) {
	if owners := l.running.at(name); len(owners) > 0 {
		return owners, nil
	}
	for i := range l.others {
		if owners := l.others[i].at(name); len(owners) > 0 {
			return owners, &l.others[i]
		}
	}
	return nil, nil
}

// Find says whose the state at a path is: the entry of the part that it belongs to,
// without what only a look at the machine tells. It reports whether the path is
// state that somebody can own.
func (l *Ledger) Find(name string) (Entry, bool) {
	part := l.Part(name)
	if part == "" {
		return Entry{}, false
	}
	e := Entry{Path: part, Standing: Owned}
	var by *Other
	e.Owners, by = l.owners(part)
	switch {
	case len(e.Owners) == 0:
		e.Standing = Unknown
	case by == nil:
	case by.Later || slices.ContainsFunc(e.Owners, l.isThere):
		e.Generation = by.Generation
	default:
		e.Standing, e.Generation = Orphan, by.Generation
	}
	return e, true
}

// isThere reports whether an owner that another generation names is still on the
// machine, though it no longer says that it owns this.
func (l *Ledger) isThere(o Owner) bool {
	if l.running.knows(o) {
		return true
	}
	if o.Kind == User {
		for _, name := range l.users {
			if name == o.Name {
				return true
			}
		}
	}
	return false
}

// Entries says whose each part is that was seen, sorted by path.
func (l *Ledger) Entries(seen []Seen) []Entry {
	entries := make([]Entry, 0, len(seen))
	for _, s := range seen {
		e, ok := l.Find(s.Path)
		if !ok && !s.Mount {
			continue
		}
		if !ok { // all of a directory that is shared
			e.Standing = Unknown
		}
		e.Path = s.Path // what is mounted within a part stands for itself
		e.Bytes, e.Files, e.LastUse, e.Mount, e.Part = s.Bytes, s.Files, s.Latest, s.Mount, s.Part
		if e.Standing == Unknown {
			e.Writer = cmp.Or(l.users[s.UID], fmt.Sprintf("uid %d", s.UID))
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return entries
}
