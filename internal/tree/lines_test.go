package tree

import (
	"bytes"
	"iter"
	"slices"
	"testing"
)

// linesOf gives a tree in its text.
func linesOf(t *testing.T, whole *Tree) *Lines {
	t.Helper()
	var dump bytes.Buffer
	if err := whole.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	lines, err := OwnLines(dump.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// sameAsLines holds what lines say against the tree that was read.
func sameAsLines(t *testing.T, made *Tree, lines *Lines, names ...string) {
	t.Helper()
	for e := range made.All() {
		names = append(names, e.Path, e.Path+"x", e.Path+"/x")
	}
	paths := func(all iter.Seq[*Entry]) (out []string) {
		for e := range all {
			out = append(out, e.Path)
		}
		return out
	}
	for _, name := range names {
		want, there := made.Lookup(name)
		have, ok := lines.Lookup(name)
		if ok != there || ok && (!have.SameContent(want) || !have.SameMetadata(want) || have.Mtime != want.Mtime) {
			t.Errorf("%q: have %+v, want %+v", name, have, want)
		}
		if have, want := paths(lines.Below(name)), paths(made.Below(name)); !slices.Equal(have, want) {
			t.Errorf("below %q: have %q, want %q", name, have, want)
		}
	}
}

func TestLinesSayWhatTheTreeSays(t *testing.T) {
	b := NewBuilder()
	b.Put(Entry{Path: "/", Type: Directory, Mode: 0o755})
	for _, name := range []string{"/lib/a/one", "/lib/a/two words", "/lib/ab", "/lib/a-b", "/share/z", "/top", "/äö/x", "/share/-", "/lib/a\nb", "/lib/=\\"} {
		b.MakeParents(name, Time{})
		b.Put(Entry{Path: name, Type: Regular, Mode: 0o644})
	}
	for _, made := range []func() (*Tree, error){b.Tree, func() (*Tree, error) { return sample(t), nil }, func() (*Tree, error) { return New(nil) }} {
		whole, err := made()
		if err != nil {
			t.Fatal(err)
		}
		lines := linesOf(t, whole)
		sameAsLines(t, whole, lines, "", "/", "/a", "/zzz", "relative")
		for e := range lines.Below("/") {
			if e.Path == "/" {
				t.Error("the root is below itself")
			}
			break // whoever has enough ends it
		}
	}
	for _, text := range []string{"/ cut off", "something else\n"} {
		if _, err := OwnLines([]byte(text)); err == nil {
			t.Errorf("%q is a dump", text)
		}
	}
}

// FuzzLines has lines be anything.
func FuzzLines(f *testing.F) {
	var text bytes.Buffer
	_ = sample(f).Dump(&text)
	f.Add(text.Bytes(), "/usr")
	f.Add([]byte("/ \n \n"), "/")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		lines, err := OwnLines(data)
		if err != nil {
			return
		}
		lines.Lookup(name)
		for range lines.Below(name) {
		}
		if made, err := ParseDump(data); err == nil {
			sameAsLines(t, made, lines, name)
		}
	})
}
