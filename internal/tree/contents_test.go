package tree

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/verity"
)

func TestContentsAreThoseOfTheTree(t *testing.T) {
	made, err := New([]Entry{
		{Path: "/", Type: Directory, Mode: 0o755},
		{Path: "/empty", Type: Regular, Mode: 0o644},
		{Path: "/link", Type: Symlink, Mode: 0o777, Target: "a b"},
		{Path: "/a b", Type: Regular, Mode: 0o644, Size: 12, Digest: verity.Digest{1}},
		{Path: "/x", Type: Regular, Mode: 0o644, Size: 1 << 40, Digest: verity.Digest{2}, Xattrs: []Xattr{{Key: "user.a", Value: []byte("b c")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := made.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	type named struct {
		Path   string
		Digest verity.Digest
		Size   int64
	}
	var got []named
	for line := range bytes.Lines(dump.Bytes()) {
		c, ok := ContentOf(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			t.Fatalf("%q cannot be read", line)
		}
		if !c.Digest.IsZero() {
			got = append(got, named{string(c.Path), c.Digest, c.Size})
		}
	}
	if diff := cmp.Diff([]named{{`/a\x20b`, verity.Digest{1}, 12}, {"/x", verity.Digest{2}, 1 << 40}}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzContentOf(f *testing.F) {
	f.Add([]byte("/ 0 40755 1 0 0 0 0.0 - - -\n/a 3 100644 1 0 0 0 0.0 01/" + verity.Digest{1}.String()[2:] + " - " + verity.Digest{1}.String() + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := ParseDump(text)
		var want []Content
		if err == nil {
			for e := range parsed.All() {
				if !e.Digest.IsZero() {
					want = append(want, Content{Digest: e.Digest, Size: e.Size})
				}
			}
		}
		var got []Content
		for line := range bytes.Lines(text) {
			c, ok := ContentOf(bytes.TrimSuffix(line, []byte("\n")))
			if !ok {
				if err == nil {
					t.Errorf("%q cannot be read", line)
				}
				return
			}
			if !c.Digest.IsZero() {
				got = append(got, Content{Digest: c.Digest, Size: c.Size})
			}
		}
		if err == nil && !cmp.Equal(want, got) {
			t.Errorf("%q: %s", text, cmp.Diff(want, got))
		}
	})
}
