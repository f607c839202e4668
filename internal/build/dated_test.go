package build

import (
	"path/filepath"
	"testing"
	"time"

	"stet/internal/store"
	"stet/internal/tree"
)

func TestFilesWithTheDayOfTheBuildAreFound(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	today := time.Date(2026, 11, 3, 22, 0, 0, 0, time.FixedZone("", 5*3600))
	b := tree.NewBuilder()
	wanted := map[string]bool{}
	for name, c := range map[string]struct {
		text  string
		found bool
	}{
		"/etc/iso":      {"# made 2026-11-03 by x\n", true},
		"/etc/digits":   {"build 20261103\n", true},
		"/etc/date":     {"Tue Nov  3 17:00:00 UTC 2026\n", true},
		"/etc/mail":     {"Tue, 03 Nov 2026 17:00:00 +0000\n", true},
		"/etc/binary":   {"\x00\x012026-11-03\x00", true},
		"/etc/epoch":    {"2026-10-01\n", false},
		"/etc/tomorrow": {"2026-11-04\n", false},
		"/etc/year":     {"2026\n", false},
		"/etc/expires":  {"\x80\x0f20061103202342Z\x81\x0f20261103205342Z0\x1f", false},
		"/etc/both":     {"\x81\x0f20261103205342Z, and 20261103170000Z", true},
	} {
		digest, err := s.PutBytes([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		b.MakeParents(name, tree.Time{})
		b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: int64(len(c.text)), Digest: digest})
		wanted[name] = c.found
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.PutTree(made)
	if err != nil {
		t.Fatal(err)
	}
	builder := &Builder{Store: s}
	found, err := builder.Dated(root, nil, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).Unix(), today, today.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if !wanted[d.Path] || d.How != howDated {
			t.Errorf("%s: found", d)
		}
		delete(wanted, d.Path)
	}
	for path, missed := range wanted {
		if missed {
			t.Errorf("%s: not found", path)
		}
	}
	if found, err := builder.Dated(root, nil, today.Unix(), today, today); err != nil || len(found) > 0 {
		t.Errorf("on the epoch's own day: %v, %v", found, err)
	}
}
