// Package systemtest makes small systems, for the tests of rooms that take
// built ones. It takes a store and gives digests; no program is run and nothing
// is mounted. Only tests import it.
package systemtest

import (
	"cmp"
	"io"
	"path"
	"testing"

	"stet/internal/erofs"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// System says what a small system has.
type System struct {
	Kernel, Initrd, CommandLine string            // "kernel" and "initrd" when empty
	Usr, Etc                    map[string]string // absolute path in the tree to content
}

// Object stores a content.
func Object(t testing.TB, s *store.Store, content string) verity.Digest {
	t.Helper()
	d, err := s.PutBytes([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Put stores a system and gives its digest.
func Put(t testing.TB, s *store.Store, of System) string {
	t.Helper()
	m := &system.Manifest{
		Format: system.ManifestFormat, Machine: "hello", Trees: map[string]string{}, Images: map[string]verity.Digest{},
		Kernel: Object(t, s, cmp.Or(of.Kernel, "kernel")), Initrd: Object(t, s, cmp.Or(of.Initrd, "initrd")),
		KernelVersion: "6.12", CommandLine: of.CommandLine,
	}
	for name, files := range map[string]map[string]string{"usr": of.Usr, "etc": of.Etc, "var": nil, "modules": nil} {
		b := tree.NewBuilder()
		b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
		for at, content := range files {
			at = path.Clean(at)
			b.MakeParents(at, tree.Time{})
			b.Put(tree.Entry{Path: at, Type: tree.Regular, Mode: 0o644, Size: int64(len(content)), Digest: Object(t, s, content)})
		}
		made, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		if m.Trees[name], err = s.PutTree(made); err != nil {
			t.Fatal(err)
		}
		if m.Images[name], err = s.PutImage(func(w io.Writer) error { return erofs.Write(w, made) }); err != nil {
			t.Fatal(err)
		}
	}
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.PutSystem(text)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// Read gives the manifest of a system.
func Read(t testing.TB, s *store.Store, digest string) *system.Manifest {
	t.Helper()
	text, err := s.System(digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
