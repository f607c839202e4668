package build

import (
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// putTree stores a tree of lines "PATH MODE CONTENT" and gives its digest.
func putTree(t *testing.T, s *store.Store, lines ...string) string {
	t.Helper()
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	for _, line := range lines {
		words := strings.SplitN(line, " ", 3)
		digest, err := s.PutBytes([]byte(words[2]))
		if err != nil {
			t.Fatal(err)
		}
		e := tree.Entry{Path: words[0], Type: tree.Regular, Mode: 0o644, Size: int64(len(words[2])), Digest: digest}
		if words[1] == "x" {
			e.Mode = 0o755
		}
		b.MakeParents(e.Path, tree.Time{})
		b.Put(e)
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.PutTree(made)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestCompare(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := &Builder{Store: s}
	root := func(lines ...string) string { return putTree(t, s, lines...) }
	base := System{Digest: "one", Root: root("/etc/a - x"), Manifest: &system.Manifest{
		Trees: map[string]string{"usr": root("/lib/sysimage/dpkg/status - x"), "etc": root("/a - x")}, Images: map[string]verity.Digest{},
	}}
	usr := func(digest string) *system.Manifest {
		m := *base.Manifest
		m.Trees = map[string]string{"usr": digest, "etc": base.Manifest.Trees["etc"]}
		return &m
	}
	etc := func(digest string) *system.Manifest {
		m := *base.Manifest
		m.Trees = map[string]string{"etc": digest, "usr": base.Manifest.Trees["usr"]}
		return &m
	}
	initrd := *base.Manifest
	initrd.Initrd = verity.Sum([]byte("other"))
	for _, c := range []struct {
		name  string
		other System
		want  string
	}{
		{"the same", base, ""},
		{"a content", System{Digest: "two", Root: root("/etc/a - yy"), Manifest: etc(root("/a - yy"))}, "/etc/a content"},
		{"a mode", System{Digest: "two", Root: root("/etc/a x x"), Manifest: etc(root("/a x x"))}, "/etc/a owner, mode or attributes"},
		{"a file more", System{Digest: "two", Root: root("/etc/a - x", "/var/b - x"), Manifest: base.Manifest}, "/var there in one build only, /var/b there in one build only"},
		{"a tree alone", System{Digest: "two", Root: base.Root, Manifest: usr(root("/lib/sysimage/dpkg/status - y"))}, "/var/lib/dpkg/status content"},
		{"the initrd alone", System{Digest: "two", Root: base.Root, Manifest: &initrd}, "initrd content"},
	} {
		found, err := b.Compare(&base, &c.other, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var have []string
		for _, d := range found {
			have = append(have, d.Path+" "+d.How)
		}
		if got := strings.Join(have, ", "); got != c.want {
			t.Errorf("%s: have %q, want %q", c.name, got, c.want)
		}
	}
	if _, err := b.Compare(&base, &System{Digest: "two", Root: base.Root, Manifest: base.Manifest}, nil); err == nil {
		t.Error("other digests of the same parts pass")
	}
}
