package rootfs

import (
	"bytes"
	"slices"
	"strings"

	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// normalise treats what the scripts left as the table says: what is dropped
// or belongs to the machine's identity goes, what came in the order of the
// scripts is sorted, and every directory has the time mtime.
func normalise(s *store.Store, t *tree.Tree, table *residue.Table, mtime tree.Time) (*tree.Tree, error) {
	b := tree.NewBuilder()
	for e := range t.All() {
		entry := *e
		if entry.Type == tree.Directory {
			entry.Mtime = mtime
			b.Put(entry)
			continue
		}
		if isScaffold(entry.Path) {
			continue
		}
		if rule, ok := table.Match(entry.Path); ok {
			if rule.Class == residue.Dropped || rule.Class == residue.Identity {
				continue
			}
			if rule.Treatment == residue.TreatmentSort && entry.Type == tree.Regular {
				if err := sortLines(s, &entry); err != nil {
					return nil, err
				}
			}
		}
		b.Put(entry)
	}
	return b.Tree()
}

func sortLines(s *store.Store, e *tree.Entry) error {
	data, err := s.ReadObject(e.Digest)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	slices.SortStableFunc(lines, func(a, b string) int {
		aComment, bComment := strings.HasPrefix(a, "#"), strings.HasPrefix(b, "#")
		switch {
		case aComment && bComment:
			return 0 // the words at the head of a file keep their order
		case aComment != bComment:
			return boolRank(bComment) - boolRank(aComment)
		}
		return strings.Compare(a, b)
	})
	sorted := []byte(strings.Join(lines, "\n") + "\n")
	if bytes.Equal(sorted, data) {
		return nil
	}
	e.Digest, err = s.PutBytes(sorted)
	e.Size = int64(len(sorted))
	return err
}
