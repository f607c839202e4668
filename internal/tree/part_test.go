package tree

import (
	"slices"
	"testing"
)

func TestAPartHasItsPlacesAndWhatLeadsThere(t *testing.T) {
	b := NewBuilder()
	b.Put(Entry{Path: "/", Type: Directory, Mode: 0o755})
	for _, name := range []string{"/lib/a/one", "/lib/a/two words", "/lib/ab", "/lib/a-b", "/share/z", "/top", "/äö/x"} {
		b.MakeParents(name, Time{})
		b.Put(Entry{Path: name, Type: Regular, Mode: 0o644})
	}
	whole, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	lines := linesOf(t, whole)
	for _, c := range []struct{ places, want []string }{
		{nil, []string{"/"}},
		{[]string{"/"}, []string{"/", "/lib", "/lib/a", "/lib/a-b", "/lib/a/one", "/lib/a/two words", "/lib/ab", "/share", "/share/z", "/top", "/äö", "/äö/x"}},
		{[]string{"/lib/a"}, []string{"/", "/lib", "/lib/a", "/lib/a/one", "/lib/a/two words"}},
		{[]string{"/lib/a/two words", "/top"}, []string{"/", "/lib", "/lib/a", "/lib/a/two words", "/top"}},
		{[]string{"/äö"}, []string{"/", "/äö", "/äö/x"}},
		{[]string{"/lib/none/deep", "/no"}, []string{"/", "/lib"}},
	} {
		part, err := lines.Part(c.places...)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for e := range part.All() {
			have = append(have, e.Path)
			if is, _ := whole.Lookup(e.Path); !is.SameMetadata(e) || !is.SameContent(e) {
				t.Errorf("%s is another one", e.Path)
			}
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("part of %q: %q, want %q", c.places, have, c.want)
		}
	}
}
