package rootfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/debian"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// pkg makes a package of a control stanza and lines "PATH TYPE-AND-CONTENT":
// "/etc/x =text", "/usr/lib d", "/bin >usr/bin"; control files begin with "@".
func pkg(t *testing.T, s *store.Store, control string, lines ...string) *Package {
	t.Helper()
	stanza, err := debian.ParseStanza([]byte(control))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Synthetic(stanza, "")
	if err != nil {
		t.Fatal(err)
	}
	files, controls := tree.NewBuilder(p.Files), tree.NewBuilder(p.Control)
	for _, line := range lines {
		name, what, _ := strings.Cut(line, " ")
		b := files
		if rest, ok := strings.CutPrefix(name, "@"); ok {
			b, name = controls, "/"+rest
		}
		e := tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Mtime: tree.Time{Sec: 1000}}
		switch what[0] {
		case 'd':
			e.Type, e.Mode = tree.Directory, 0o755
		case '>':
			e.Type, e.Mode, e.Target = tree.Symlink, 0o777, what[1:]
		case '=':
			if e.Digest, err = s.PutBytes([]byte(what[1:])); err != nil {
				t.Fatal(err)
			}
			e.Size = int64(len(what) - 1)
		}
		b.MakeParents(name, tree.Time{})
		b.Put(e)
	}
	if p.Files, err = files.Tree(); err != nil {
		t.Fatal(err)
	}
	if p.Control, err = controls.Tree(); err != nil {
		t.Fatal(err)
	}
	return p
}

func stanza(name string, more ...string) string {
	return "Package: " + name + "\nVersion: 1\nArchitecture: amd64\n" + strings.Join(more, "\n") + "\n"
}

// paths lists what is not a directory, with content.
func paths(t *testing.T, s *store.Store, made *tree.Tree) string {
	t.Helper()
	var out []string
	for e := range made.All() {
		switch e.Type {
		case tree.Symlink:
			out = append(out, e.Path+">"+e.Target)
		case tree.Regular:
			data, err := s.ReadObject(e.Digest)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e.Path+"="+string(data))
		}
	}
	return strings.Join(out, " ")
}

func TestMergeFollowsDebian(t *testing.T) {
	for name, c := range map[string]struct {
		packages func(*testing.T, *store.Store) []*Package
		want     string // or a part of the error, after "!"
	}{
		"paths go through merged-/usr": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("base", "Essential: yes"), "/bin >usr/bin", "/usr/bin d"), pkg(t, s, stanza("a"), "/bin/a =1", "/lib/x/y =2")}
		}, "/bin>usr/bin /usr/bin/a=1 /usr/lib/x/y=2"},
		"a file of two packages": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/etc/x =1"), pkg(t, s, stanza("b"), "/etc/x =2")}
		}, "!package b 1 ships /etc/x too, but package a 1 ships /etc/x"},
		"the same bytes are a conflict too": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/etc/x =1"), pkg(t, s, stanza("b"), "/etc/x =1")}
		}, "!neither Replaces the other"},
		"Replaces wins": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/etc/x =old"), pkg(t, s, stanza("b", "Replaces: a (<< 2)"), "/etc/x =new")}
		}, "/etc/x=new"},
		"Replaces wins in any order": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("b"), "/etc/x =old"), pkg(t, s, stanza("a", "Replaces: b"), "/etc/x =new")}
		}, "/etc/x=new"},
		"Replaces of another version does not": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/etc/x =old"), pkg(t, s, stanza("b", "Replaces: a (<< 1)"), "/etc/x =new")}
		}, "!neither Replaces"},
		"Multi-Arch: same shares equal files": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a", "Multi-Arch: same"), "/usr/share/x =1"),
				pkg(t, s, strings.ReplaceAll(stanza("a", "Multi-Arch: same"), "amd64", "i386"), "/usr/share/x =1")}
		}, "/usr/share/x=1"},
		"Multi-Arch: same with unequal files": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a", "Multi-Arch: same"), "/usr/share/x =1"),
				pkg(t, s, strings.ReplaceAll(stanza("a", "Multi-Arch: same"), "amd64", "i386"), "/usr/share/x =2")}
		}, "!/usr/share/x"},
		"a directory over a link": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/usr/x >y"), pkg(t, s, stanza("b"), "/usr/x/z =1")}
		}, "!package b 1 ships /usr/x as a directory"},
		"an unknown top-level directory": {func(t *testing.T, s *store.Store) []*Package {
			return []*Package{pkg(t, s, stanza("a"), "/nix/store/x =1")}
		}, "!package a ships /nix: a machine has no top-level directory /nix"},
	} {
		s := openStore(t)
		packages := c.packages(t, s)
		for range 2 {
			m, err := merge(packages, diversions{}, tree.Time{Sec: 5})
			if want, ok := strings.CutPrefix(c.want, "!"); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: have %v", name, err)
				}
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if made, err := m.files.Tree(); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if have := paths(t, s, made); have != c.want {
				t.Errorf("%s: have %s", name, have)
			}
			if strings.Contains(name, "any order") || !strings.HasPrefix(c.want, "!") {
				slices.Reverse(packages)
			}
		}
	}
}

func TestDirectoriesHaveTheEpochAndFilesTheirOwnTime(t *testing.T) {
	s := openStore(t)
	m, err := merge([]*Package{pkg(t, s, stanza("a"), "/usr/share/x =1")}, diversions{}, tree.Time{Sec: 5})
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := m.files.Get("/usr/share")
	file, _ := m.files.Get("/usr/share/x")
	if dir.Mtime.Sec != 5 || file.Mtime.Sec != 1000 {
		t.Errorf("have %v and %v", dir.Mtime, file.Mtime)
	}
}

func TestDatabaseHasWhatDpkgWouldHaveWritten(t *testing.T) {
	s := openStore(t)
	packages := []*Package{
		pkg(t, s, stanza("a", "Multi-Arch: same"), "/etc/a.conf =one\n", "/usr/share/a =2", "@conffiles =/etc/a.conf\n", "@postinst =#!/bin/sh\n",
			"@triggers =interest-noawait /usr/share/t\ninterest named\n"),
		pkg(t, s, stanza("b", "Replaces: a"), "/usr/share/a =3", "@triggers =interest /usr/share/t\nactivate-noawait ldconfig\n"),
	}
	packages = append(packages, pkg(t, s, strings.ReplaceAll(stanza("c"), "amd64", "i386")))
	m, err := merge(packages, diversions{}, tree.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDatabase(s, m, packages, nil, "amd64", tree.Time{}); err != nil {
		t.Fatal(err)
	}
	made, err := m.files.Tree()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"status": "Package: a\nVersion: 1\nArchitecture: amd64\nMulti-Arch: same\nStatus: install ok unpacked\nConffiles:\n /etc/a.conf 5bbf5a52328e7439ae6e719dfe712200\n\n" +
			"Package: b\nVersion: 1\nArchitecture: amd64\nReplaces: a\nStatus: install ok unpacked\n\n" +
			"Package: c\nVersion: 1\nArchitecture: i386\nStatus: install ok unpacked\n\n",
		"info/a:amd64.list":     "/.\n/etc\n/etc/a.conf\n/usr\n/usr/share\n",
		"info/b.list":           "/.\n/usr\n/usr/share\n/usr/share/a\n",
		"info/a:amd64.postinst": "#!/bin/sh\n",
		"triggers/File":         "/usr/share/t a:amd64/noawait\n/usr/share/t b\n",
		"triggers/named":        "a:amd64\n",
		"arch":                  "amd64\ni386\n",
	} {
		e, ok := made.Lookup(databaseDir + "/" + name)
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		data, _ := s.ReadObject(e.Digest)
		if string(data) != want {
			t.Errorf("%s: have\n%s\nwant\n%s", name, data, want)
		}
		if strings.HasSuffix(name, "postinst") && e.Mode != 0o755 {
			t.Errorf("%s: mode %o", name, e.Mode)
		}
	}
}
