package rootfs

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// normalise treats what the scripts left as the table says: what is dropped,
// or what the machine makes itself, goes; what came in the order of the
// scripts is sorted; and every directory has the time mtime.
func normalise(s *store.Store, t *tree.Tree, table *residue.Table, mtime tree.Time) (*tree.Tree, error) {
	b := tree.NewBuilder()
	for e := range t.All() {
		entry := *e
		rule, ruled := table.Match(entry.Path)
		if entry.Type == tree.Directory {
			// Whoever makes the state makes its directories.
			if ruled && (rule.Class == residue.Service || rule.Class == residue.Dropped && rule.IsWhole(entry.Path)) {
				continue
			}
			entry.Mtime = mtime
			b.Put(entry)
			continue
		}
		if isScaffold(entry.Path) || ruled && isLeftOut(rule.Class) || leadsToIdentity(&entry, table) {
			continue
		}
		if ruled && entry.Type == tree.Regular {
			if err := treat(s, &entry, rule, mtime.Sec); err != nil {
				return nil, err
			}
		}
		b.Put(entry)
	}
	return b.Tree()
}

// isLeftOut reports whether files of a class are in no image.
func isLeftOut(c residue.Class) bool {
	return slices.Contains([]residue.Class{residue.Dropped, residue.Identity, residue.Made, residue.Service}, c)
}

// leadsToIdentity reports whether a link is another name of an identity beside
// it, such as the one that OpenSSL gives a certificate by its hash.
func leadsToIdentity(e *tree.Entry, table *residue.Table) bool {
	if e.Type != tree.Symlink || strings.Contains(e.Target, "/") {
		return false
	}
	rule, ok := table.Match(path.Join(path.Dir(e.Path), e.Target))
	return ok && rule.Class == residue.Identity
}

// treat changes a kept file's content as its rule says.
func treat(s *store.Store, e *tree.Entry, rule *residue.Rule, epoch int64) error {
	if rule.Treatment == "" {
		return nil
	}
	data, err := s.ReadObject(e.Digest)
	if err != nil {
		return err
	}
	treated := treatment(data, rule, epoch)
	if bytes.Equal(treated, data) {
		return nil
	}
	e.Digest, err = s.PutBytes(treated)
	e.Size = int64(len(treated))
	return err
}

func treatment(data []byte, rule *residue.Rule, epoch int64) []byte {
	switch rule.Treatment {
	case residue.TreatmentSort:
		return joinText(sortedLines(splitText(data)))
	case residue.TreatmentTriples:
		return joinText(sortedTriples(splitText(data)))
	case residue.TreatmentWithout:
		return joinText(slices.DeleteFunc(splitText(data), func(line string) bool {
			ok, err := path.Match(rule.Lines, line)
			return ok && err == nil
		}))
	case residue.TreatmentKeystore:
		return normalKeystore(data, epoch)
	}
	return data
}

func splitText(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func joinText(lines []string) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func sortedLines(lines []string) []string {
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
	return lines
}

// sortedTriples sorts records of three lines. What is no list of such records
// stays as it is.
func sortedTriples(lines []string) []string {
	if len(lines)%3 != 0 {
		return lines
	}
	records := slices.Collect(slices.Chunk(lines, 3))
	slices.SortStableFunc(records, slices.Compare)
	return slices.Concat(records...)
}
