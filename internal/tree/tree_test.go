package tree

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stet/internal/verity"
)

func sample(t testing.TB) *Tree {
	t.Helper()
	content := verity.Sum([]byte("hello"))
	made, err := New([]Entry{
		{Path: "/usr/bin/ping", Type: Regular, Mode: 0o755, Size: 5, Digest: content, Mtime: Time{1700000000, 5},
			Xattrs: []Xattr{{"security.capability", []byte{1, 0, 0, 2, '=', ' ', '-'}}}},
		{Path: "/", Type: Directory, Mode: 0o755},
		{Path: "/usr", Type: Directory, Mode: 0o755},
		{Path: "/usr/bin", Type: Directory, Mode: 0o755},
		{Path: "/usr/bin-x", Type: Symlink, Mode: 0o777, Target: "a b\n=\\"},
		{Path: "/usr/bin/-", Type: Regular, Mode: 0o4711, UID: 1, GID: 2},
		{Path: "/usr/null", Type: CharDevice, Mode: 0o666, Rdev: 0x103},
		{Path: "/usr/\xff ü", Type: FIFO, Mode: 0o600, Mtime: Time{-1, 0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestDumpRoundTrip(t *testing.T) {
	var text bytes.Buffer
	made := sample(t)
	if err := made.Dump(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ParseDump(text.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if again.Digest() != made.Digest() {
		t.Errorf("the tree read again is another one")
	}
	for change := range Diff(made, again) {
		t.Errorf("%s differs after a round trip", change.Path())
	}
}

func TestDumpIsComposefsDump(t *testing.T) {
	var text bytes.Buffer
	_ = sample(t).Dump(&text)
	digest := verity.Sum([]byte("hello")).String()
	want := `/usr/bin/ping 5 100755 1 0 0 0 1700000000.5 ` + digest[:2] + "/" + digest[2:] + " - " + digest +
		` security.capability=\x01\x00\x00\x02\x3d\x20-`
	if !strings.Contains(text.String(), want) {
		t.Errorf("want line\n%s\nin\n%s", want, text.String())
	}
}

func TestNewRefuses(t *testing.T) {
	root := Entry{Path: "/", Type: Directory, Mode: 0o755}
	for name, entries := range map[string][]Entry{
		"no parent":               {root, {Path: "/a/b", Type: Regular}},
		"a parent that is a file": {root, {Path: "/a", Type: Regular}, {Path: "/a/b", Type: Regular}},
		"the same path twice":     {root, {Path: "/a", Type: Regular}, {Path: "/a", Type: Directory}},
		"a path that climbs":      {root, {Path: "/../a", Type: Regular}},
		"a relative path":         {root, {Path: "a", Type: Regular}},
		"a link to nowhere":       {root, {Path: "/a", Type: Symlink}},
		"size without digest":     {root, {Path: "/a", Type: Regular, Size: 1}},
		"unsorted attributes":     {root, {Path: "/a", Type: Regular, Xattrs: []Xattr{{"b", nil}, {"a", nil}}}},
		"a root that is a file":   {{Path: "/", Type: Regular}},
	} {
		if _, err := New(entries); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestDiffNamesEveryKindOfDifference(t *testing.T) {
	old := sample(t)
	b := NewBuilder(old)
	b.Remove("/usr/bin")
	b.Put(Entry{Path: "/usr/new", Type: Regular, Mode: 0o644})
	link, _ := b.Get("/usr/bin-x")
	link.Target = "elsewhere"
	b.Put(link)
	changed, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for c := range Diff(old, changed) {
		sign := map[[2]bool]string{{true, true}: "~", {true, false}: "-", {false, true}: "+"}[[2]bool{c.Old != nil, c.New != nil}]
		have = append(have, sign+c.Path())
	}
	want := "-/usr/bin ~/usr/bin-x -/usr/bin/- -/usr/bin/ping +/usr/new"
	if strings.Join(have, " ") != want {
		t.Errorf("have %v, want %s", have, want)
	}
}

func TestSubtreeIsRootedAnew(t *testing.T) {
	sub, err := sample(t).Subtree("/usr/bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sub.Lookup("/ping"); !ok || sub.Len() != 3 {
		t.Errorf("have %d entries", sub.Len())
	}
}

// Of others only what Dump would write is taken: else two texts were one tree.
func TestForeignDumpsAreCanonical(t *testing.T) {
	const canonical = "/ 0 40755 1 0 0 0 0.0 - - -\n"
	for _, text := range []string{
		strings.Replace(canonical, " 1 ", " 2 ", 1), strings.Replace(canonical, " 0 0 0 ", " 00 0 0 ", 1), strings.Replace(canonical, "- - -", "- x -", 1),
	} {
		if _, err := ParseDump([]byte(text)); err == nil || !strings.Contains(err.Error(), "not in canonical form") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseDump([]byte(canonical)); err != nil {
		t.Error(err)
	}
}

func FuzzParseDump(f *testing.F) {
	var text bytes.Buffer
	_ = sample(f).Dump(&text)
	f.Add(text.Bytes())
	f.Add([]byte("/ 0 40755 1 0 0 0 0.0 - - -\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		own, errOwn := ParseOwn(data) // which must be able to read whatever is there
		read, err := ParseDump(data)
		if err != nil {
			return
		}
		if errOwn != nil || own.Digest() != read.Digest() {
			t.Errorf("it is another one when it is our own: %v", errOwn)
		}
		var again bytes.Buffer
		_ = read.Dump(&again)
		if !bytes.Equal(bytes.TrimSuffix(again.Bytes(), []byte("\n")), bytes.TrimSuffix(data, []byte("\n"))) {
			t.Errorf("accepted a text that is not canonical:\n%q\n%q", data, again.Bytes())
		}
	})
}

// All processors read a part of a large dump: what is wrong is told by its line.
func TestALargeDumpIsReadInParts(t *testing.T) {
	entries := []Entry{{Path: "/", Type: Directory, Mode: 0o755}}
	for i := range 5 * leastLines {
		entries = append(entries, Entry{Path: fmt.Sprintf("/%05d", i), Type: Symlink, Mode: 0o777, Target: strings.Repeat("x", i%40+1)})
	}
	made, err := New(entries)
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := made.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	read, err := ParseDump(dump.Bytes())
	if err != nil || !slices.EqualFunc(slices.Collect(read.All()), slices.Collect(made.All()), func(a, b *Entry) bool { return a.Path == b.Path && a.SameContent(b) }) {
		t.Errorf("%d entries, %v", read.Len(), err)
	}
	if own, err := ParseOwn(dump.Bytes()); err != nil || own.Digest() != made.Digest() {
		t.Errorf("our own one: %v", err)
	}
	lines := slices.Collect(strings.Lines(dump.String()))
	for _, c := range []struct {
		change func([]string)
		want   string
	}{
		{func(l []string) { l[4321] = "nothing\n" }, "dump line 4322: want at least 11 fields"},
		{func(l []string) { l[4321], l[1] = "nothing\n", " \n" }, "dump line 2: "},
		{func(l []string) { l[2500], l[2501] = l[2501], l[2500] }, "dump line 2502: /02499 is not sorted"},
		{func(l []string) { l[3000] = strings.TrimSuffix(l[3000], "\n") }, "dump line 3001: "},
		{func(l []string) { l[5000] = strings.TrimSuffix(l[5000], "\n") }, "dump line 5001: not in canonical form"},
	} {
		changed := slices.Clone(lines)
		c.change(changed)
		if _, err := ParseDump([]byte(strings.Join(changed, ""))); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestBuilderIsAMap holds a builder against a map, at whatever is done to it.
func TestBuilderIsAMap(t *testing.T) {
	var names []string
	for _, a := range []string{"", "/a", "/a-b", "/b"} {
		for _, b := range []string{"", "/a", "/c", "/c.d"} {
			if a != "" {
				names = append(names, a+b)
			}
		}
	}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		draw := func() Entry {
			e := Entry{Path: names[random.IntN(len(names))], Type: Regular, Size: int64(random.IntN(1000))}
			if random.IntN(2) == 0 {
				e.Type, e.Size = Directory, 0
			}
			return e
		}
		want := map[string]Entry{"/": {Path: "/", Type: Directory}}
		b := NewBuilder()
		b.Put(want["/"])
		for range random.IntN(8) {
			e := draw()
			want[e.Path] = e
			b.Put(e)
		}
		b = NewBuilder(&Tree{entries: b.Entries()}, &Tree{})
		for range 12 {
			e := draw()
			if random.IntN(3) > 0 {
				want[e.Path] = e
				b.Put(e)
			} else {
				if want[e.Path].Type == Directory {
					maps.DeleteFunc(want, func(name string, _ Entry) bool { return strings.HasPrefix(name, e.Path+"/") })
				}
				delete(want, e.Path)
				b.Remove(e.Path)
			}
			name := names[random.IntN(len(names))]
			have, ok := b.Get(name)
			if expected, there := want[name]; ok != there || !reflect.DeepEqual(have, expected) {
				t.Fatalf("seed %d: %s: have %v, %v; want %v, %v", seed, name, have, ok, expected, there)
			}
		}
		var sorted []Entry
		for _, name := range slices.Sorted(maps.Keys(want)) {
			sorted = append(sorted, want[name])
		}
		if have := b.Entries(); !reflect.DeepEqual(have, sorted) {
			t.Fatalf("seed %d:\nhave %v\nwant %v", seed, have, sorted)
		}
		for dir, prefix := range map[string]string{"/": "/", "/a": "/a/", "/b/": "/b/", "/none": "/none/"} {
			below := slices.DeleteFunc(slices.Clone(sorted), func(e Entry) bool { return e.Path == "/" || !strings.HasPrefix(e.Path, prefix) })
			if have := b.Below(dir); !slices.EqualFunc(have, below, func(a, b Entry) bool { return reflect.DeepEqual(a, b) }) {
				t.Fatalf("seed %d: below %s:\nhave %v\nwant %v", seed, dir, have, below)
			}
		}
	}
}
