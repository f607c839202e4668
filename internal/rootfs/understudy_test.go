package rootfs

import (
	"maps"
	"testing"

	"stet/internal/tree"
)

func TestUnderstudiesStandInOnlyForWhatTheyKnow(t *testing.T) {
	const program, beside = "/usr/bin/helper", "/usr/share/helper/library"
	s := openStore(t)
	shipped := map[string]string{program: "version 1", beside: "library 1", "/etc/a": "1"}
	before := rootOf(t, s, shipped)
	known := part{program: program, files: []string{"/usr/share/helper/"}}
	known.digests = []string{known.digest(before)}

	for name, changed := range map[string]map[string]string{
		"another program": {program: "version 2"},
		"another library": {beside: "library 2"},
		"one more file":   {"/usr/share/helper/more": "x"},
	} {
		files := maps.Clone(shipped)
		maps.Copy(files, changed)
		c, err := substitute(s, rootOf(t, s, files), []part{known})
		if err != nil || len(c.of) != 0 {
			t.Errorf("%s: it stands in, %v", name, err)
		}
	}

	c, err := substitute(s, before, []part{known})
	if err != nil || len(c.of) != 1 {
		t.Fatalf("it does not stand in: %v", err)
	}
	if text, _ := readFile(s, c.on, program); string(text) == "version 1" {
		t.Error("the program is the packaged one")
	}
	if text, _ := readFile(s, c.on, wings+"/helper"); string(text) != "version 1" {
		t.Errorf("the packaged program is %q", text)
	}
	for name, test := range map[string]struct {
		scripts map[string]string
		counts  bool
	}{
		"nothing":                  {counts: true},
		"other work":               {scripts: map[string]string{"/etc/a": "2", "/etc/b": "3"}, counts: true},
		"an unfinished call":       {scripts: map[string]string{wings + "/unfinished": ""}},
		"another program":          {scripts: map[string]string{program: "version 3"}},
		"another library":          {scripts: map[string]string{beside: "library 3"}},
		"the program in the wings": {scripts: map[string]string{wings + "/helper": "version 3"}},
	} {
		b := tree.NewBuilder(c.on)
		want := maps.Clone(shipped)
		for file, text := range test.scripts {
			if err := putFile(s, b, file, []byte(text), 0o755, tree.Time{}); err != nil {
				t.Fatal(err)
			}
			want[file] = text
		}
		left, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		have, err := c.restore(left)
		if err != nil || (have != nil) != test.counts {
			t.Errorf("%s: it counts: %v, %v", name, have != nil, err)
			continue
		}
		if test.counts {
			for change := range tree.Diff(rootOf(t, s, want), have) {
				t.Errorf("%s: %s is not as the packaged program had left it", name, change.Path())
			}
		}
	}
}

// Scripts may make a program set-id, or give it to somebody; it may have more names; and
// an understudy that claims nothing of what the program does stands in for any version.
func TestPackagedProgramsComeBackAsScriptsLeftThem(t *testing.T) {
	const program = "/usr/bin/helper"
	s := openStore(t)
	b := tree.NewBuilder(rootOf(t, s, map[string]string{program: "any version"}))
	owned, _ := b.Get(program)
	owned.UID, owned.GID = 6, 12
	b.Put(owned)
	before, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	c, err := substitute(s, before, []part{{program: program, names: []string{"unhelper"}}})
	if err != nil || len(c.of) != 1 {
		t.Fatalf("it does not stand in: %v", err)
	}
	if link, ok := c.on.Lookup(wings + "/unhelper"); !ok || link.Type != tree.Symlink || link.Target != "helper" {
		t.Errorf("the other name is %+v", link)
	}
	if have, err := c.restore(c.on); err != nil || have == nil {
		t.Errorf("where scripts left it alone: %v, %v", have, err)
	} else {
		for change := range tree.Diff(before, have) {
			t.Errorf("%s is another, though scripts left it alone", change.Path())
		}
	}
	b = tree.NewBuilder(c.on)
	changed, _ := b.Get(program)
	changed.Mode, changed.UID, changed.GID = 0o6755, 8, 50
	b.Put(changed)
	left, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	have, err := c.restore(left)
	if err != nil || have == nil {
		t.Fatalf("%v, %v", have, err)
	}
	if text, _ := readFile(s, have, program); string(text) != "any version" {
		t.Errorf("the program is %q", text)
	}
	if e, _ := have.Lookup(program); e.Mode != 0o6755 || e.UID != 8 || e.GID != 50 {
		t.Errorf("the program has mode %o and is of %d:%d", e.Mode, e.UID, e.GID)
	}
	b = tree.NewBuilder(c.on)
	b.Remove(program)
	if left, err = b.Tree(); err != nil {
		t.Fatal(err)
	}
	if have, err := c.restore(left); have != nil || err != nil {
		t.Errorf("a program that was removed comes back: %v", err)
	}
}
