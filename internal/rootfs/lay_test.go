package rootfs

import (
	"strings"
	"testing"

	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// TestPackagesAreLaidOverTheBaseAsDpkgUnpacksThem has a base package with the
// given files, what its scripts do to the root ("PATH what" as for pkg, or
// "-PATH" for a removal), and a package outside the base.
func TestPackagesAreLaidOverTheBaseAsDpkgUnpacksThem(t *testing.T) {
	for name, c := range map[string]struct {
		base, scripts, rest []string
		want                string // of /etc and /usr; or a part of the error, after "!"
	}{
		"what the scripts make, change and remove stays so": {
			base:    []string{"/etc/a =1", "/etc/b =2", "/etc/d/c =3"},
			scripts: []string{"/etc/a =changed", "/etc/made >a", "-/etc/b", "-/etc/d"}, rest: []string{"/usr/x =4"},
			want: "/etc/a=changed /etc/made>a /usr/x=4",
		},
		"a package's file stands over what a script made there": {
			base: []string{"/etc/a =1"}, scripts: []string{"/etc/x =made"}, rest: []string{"/etc/x =shipped"},
			want: "/etc/a=1 /etc/x=shipped",
		},
		"Replaces holds after a script changed or removed the file": {
			base: []string{"/etc/a =1", "/etc/b =2"}, scripts: []string{"/etc/a =changed", "-/etc/b"}, rest: []string{"/etc/a =mine", "/etc/b =mine"},
			want: "/etc/a=mine /etc/b=mine",
		},
		"a directory that a script removed is there for a package that ships it": {
			base: []string{"/etc/d d"}, scripts: []string{"-/etc/d"}, rest: []string{"/etc/d/x =1"},
			want: "/etc/d/x=1",
		},
		"a diverted file is at its other place": {
			base: []string{"/usr/bin/a =1"}, rest: []string{"/bin/tool =rest"},
			scripts: []string{"/var/lib/dpkg/diversions =/bin/tool\n/bin/tool.real\nbase\n", "/usr/bin/tool =wrapper"},
			want:    "/usr/bin/a=1 /usr/bin/tool=wrapper /usr/bin/tool.real=rest",
		},
		"the package that diverts keeps its path": {
			base: []string{"/usr/bin/a =1"}, rest: []string{"/usr/bin/tool =rest"},
			scripts: []string{"/var/lib/dpkg/diversions =/usr/bin/tool\n/usr/bin/tool.real\nrest\n"},
			want:    "/usr/bin/a=1 /usr/bin/tool=rest",
		},
		"logs and backups are left behind": {
			base: []string{"/etc/a =1"}, scripts: []string{"/etc/passwd- =old"}, rest: []string{"/usr/x =1"},
			want: "/etc/a=1 /usr/x=1",
		},
		"a script's file where a package has a directory": {
			base: []string{"/etc/a =1"}, scripts: []string{"/etc/x =made"}, rest: []string{"/etc/x/y =1"},
			want: "!package rest 1 ships /etc/x as a directory, but a script of another package made a file of it",
		},
		"a script's directory where a package has a file": {
			base: []string{"/etc/a =1"}, scripts: []string{"/etc/x/y =made"}, rest: []string{"/etc/x =1"},
			want: "!package rest 1 ships /etc/x as a file, but a script of another package made a directory of it",
		},
	} {
		s := openStore(t)
		made, err := layOver(t, s, c.base, c.scripts, c.rest)
		if want, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: have %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var have []string
		for word := range strings.FieldsSeq(paths(t, s, made)) {
			if (strings.HasPrefix(word, "/etc") || strings.HasPrefix(word, "/usr")) && strings.ContainsAny(word, "=>") {
				have = append(have, word)
			}
		}
		if have := strings.Join(have, " "); have != c.want {
			t.Errorf("%s: have %s", name, have)
		}
	}
}

func TestAnOverrideOfTheBaseHoldsForLaterFiles(t *testing.T) {
	s := openStore(t)
	made, err := layOver(t, s, []string{"/etc/passwd =daemon:x:7:8::/:/bin/sh\n", "/etc/group =games:x:60:\n"},
		[]string{"/var/lib/dpkg/statoverride =daemon games 2750 /usr/bin/x\n#3 #4 700 /srv/d\n"}, []string{"/usr/bin/x =1", "/srv/d d"})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := made.Lookup("/usr/bin/x")
	d, _ := made.Lookup("/srv/d")
	if x.UID != 7 || x.GID != 60 || x.Mode != 0o2750 || d.UID != 3 || d.GID != 4 || d.Mode != 0o700 {
		t.Errorf("have %+v and %+v", x, d)
	}
	for _, bad := range []string{"daemon", "nobody root 755 /usr/bin/x", "#-1 #1 755 /usr/bin/x", "#1 #1 99999 /usr/bin/x"} {
		if _, err := layOver(t, s, nil, []string{"/var/lib/dpkg/statoverride =" + bad + "\n"}, []string{"/usr/bin/x =1"}); err == nil {
			t.Errorf("%q was taken for an override", bad)
		}
	}
}

// layOver plays a base's scripts and lays a package over what they left.
func layOver(t *testing.T, s *store.Store, baseFiles, scripts, restFiles []string) (*tree.Tree, error) {
	t.Helper()
	base := pkg(t, s, stanza("base", "Essential: yes"), baseFiles...)
	rest := pkg(t, s, stanza("rest", "Replaces: base"), restFiles...)
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	unpacked := func(packages ...*Package) *merged {
		m, err := merge(packages, diversions{}, tree.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := writeDatabase(s, m, packages, nil, "amd64", tree.Time{}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	before, err := unpacked(base).files.Tree()
	if err != nil {
		t.Fatal(err)
	}
	after := tree.NewBuilder(before)
	for _, line := range scripts {
		if name, ok := strings.CutPrefix(line, "-"); ok {
			after.Remove(name)
			continue
		}
		done := pkg(t, s, stanza("script"), line).Files
		for e := range done.All() {
			if _, there := after.Get(e.Path); !there || e.Type != tree.Directory {
				after.Put(*e)
			}
		}
	}
	c := &configured{members: map[string]bool{base.key(): true}, before: before}
	if c.after, err = after.Tree(); err != nil {
		t.Fatal(err)
	}
	m := unpacked(base, rest)
	if err := c.lay(s, m, []*Package{base, rest}, table); err != nil {
		return nil, err
	}
	return m.files.Tree()
}
