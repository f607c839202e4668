package plan

import (
	"maps"
	"slices"
	"strings"

	"stet/internal/tree"
	"stet/internal/unified"
)

// compareDrift says what becomes of the changes that people made in /etc. The
// next /etc begins with none of them but the persisted, so each is undone,
// unless the new system has just that. One that the new system changes, too, is
// for a person to decide.
func (m *maker) compareDrift() error {
	agreed, err := m.agreedAccounts()
	if err != nil {
		return err
	}
	for i := range m.facts.Drift {
		d := &m.facts.Drift[i]
		if m.outlives(d) {
			continue
		}
		at := strings.TrimPrefix(d.Path, "/etc")
		old, err := m.old.etc(at)
		if err != nil {
			return err
		}
		next, err := m.new.etc(at)
		if err != nil {
			return err
		}
		m.undone = true
		if d.is(next) {
			continue // the person's wish is the system's now
		}
		entry := Drift{Path: d.Path, Change: d.Change, Conflict: !same(old, next) && !(agreed && slices.Contains(accountFiles, at))}
		if entry.Diff, entry.Hidden, err = m.driftDiff(old, d); err != nil {
			return err
		}
		m.plan.Drift = append(m.plan.Drift, entry)
		m.changed.paths = append(m.changed.paths, d.Path)
		if entry.Conflict {
			m.decide(DecideConflict, d.Path, "was changed on the machine, and the new system changes it, too",
				"`stet adopt` takes it into the configuration; --discard saves it and lets it go")
		}
	}
	slices.Sort(m.changed.paths)
	m.changed.paths = slices.Compact(m.changed.paths)
	slices.SortFunc(m.plan.Drift, func(a, b Drift) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// accountFiles are those that the account tools write together.
var accountFiles = []string{"/passwd", "/group", "/shadow", "/gshadow", "/subuid", "/subgid"}

// agreedAccounts reports whether the next system has the users and groups that the
// machine has, as after they were adopted: the lines of the files may have another order,
// and their dates be others, but there is nothing for a person to decide.
func (m *maker) agreedAccounts() (bool, error) {
	for i := range m.facts.Drift {
		d := &m.facts.Drift[i]
		at := strings.TrimPrefix(d.Path, "/etc")
		if m.outlives(d) || at != "/passwd" && at != "/group" {
			continue
		}
		next, err := m.new.read(etcTree, at)
		if err != nil {
			return false, err
		}
		if d.Text == nil || !sameAccounts(at, *d.Text, next) {
			return false, nil
		}
	}
	return true, nil
}

func sameAccounts(name, a, b string) bool {
	if name == "/passwd" {
		return maps.Equal(ParseUsers(a), ParseUsers(b))
	}
	return maps.EqualFunc(ParseGroups(a), ParseGroups(b), func(a, b Membership) bool { return a.GID == b.GID && slices.Equal(a.Members, b.Members) })
}

// etc looks up an entry of /etc; nil when there is none.
func (s *side) etc(name string) (*tree.Entry, error) {
	t, err := s.files(etcTree)
	if err != nil {
		return nil, err
	}
	e, _ := t.Lookup(name)
	return e, nil
}

// same reports whether two entries, either of which may be missing, differ in
// nothing but their time.
func same(a, b *tree.Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.SameContent(b) && a.SameMetadata(b)
}

// driftDiff shows what a person changed, if everybody may see it.
func (m *maker) driftDiff(old *tree.Entry, d *Drifted) (diff, hidden string, err error) {
	if d.Change == Deleted {
		return m.difference(old, nil)
	}
	if _, hidden, err := m.difference(old, nil); err != nil || hidden != "" {
		return "", hidden, err // what is declared may be a secret
	}
	switch {
	case d.Type != tree.Regular.String():
		return "", "", nil
	case d.Mode&0o004 == 0:
		return "", HiddenSecret, nil
	case d.Size > largest:
		return "", HiddenLarge, nil
	case d.Text == nil:
		return "", HiddenBinary, nil
	}
	declared := ""
	if old != nil && old.Type == tree.Regular {
		content, err := m.store.ReadObject(old.Digest)
		if err != nil {
			return "", "", err
		}
		declared = string(content)
	}
	return unified.Diff(declared, *d.Text), "", nil
}
