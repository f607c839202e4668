package census_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/census"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// world is a store with small systems.
type world struct {
	*store.Store
	t *testing.T
}

func newWorld(t *testing.T) world {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return world{s, t}
}

func (w world) object(content string) verity.Digest {
	w.t.Helper()
	d, err := w.PutBytes([]byte(content))
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// system gives the digest of a system with files that have these contents.
func (w world) system(contents ...string) string {
	w.t.Helper()
	entries := []tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}}
	for _, content := range contents {
		entries = append(entries, tree.Entry{Path: "/" + content, Type: tree.Regular, Mode: 0o644, Size: int64(len(content)), Digest: w.object(content)})
	}
	made, err := tree.New(entries)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &system.Manifest{
		Format: system.ManifestFormat, Machine: "hello", Trees: map[string]string{}, Images: map[string]verity.Digest{},
		Kernel: w.object("kernel"), Initrd: w.object("initrd"),
	}
	if m.Trees["usr"], err = w.PutTree(made); err != nil {
		w.t.Fatal(err)
	}
	m.Images["usr"], err = w.PutImage(func(out io.Writer) error { _, err := io.WriteString(out, strings.Join(contents, " ")); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := m.Text()
	if err != nil {
		w.t.Fatal(err)
	}
	digest, err := w.PutSystem(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return digest
}

func (w world) take(claims ...census.Claim) *census.Census {
	w.t.Helper()
	c, err := census.Take(w.t.Context(), w.Store, claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// own gives what a system has that is in no other: manifest, tree and image.
func (w world) own(digest string) (sum int64) {
	w.t.Helper()
	text, err := w.System(digest)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		w.t.Fatal(err)
	}
	for kind, name := range map[store.Kind]string{store.Systems: digest, store.Trees: m.Trees["usr"], store.Images: m.Images["usr"].String()} {
		n, err := w.Size(kind, name)
		if err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

func TestEachObjectCountsOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.system("shared", "a"), w.system("shared", "bbb", "c")
	c := w.take(census.Claim{Systems: []string{a}}, census.Claim{Systems: []string{b, b}, Objects: []verity.Digest{w.object("bundle"), {}}})
	for i, want := range []struct{ alone, shared int64 }{
		{1 + w.own(a), 6 + 6 + 6},
		{4 + 6 + w.own(b), 6 + 6 + 6},
	} {
		if alone, shared := c.Sizes(i); alone != want.alone || shared != want.shared || c.Errs[i] != nil {
			t.Errorf("claim %d: %d alone, %d shared, %v; want %+v", i, alone, shared, c.Errs[i], want)
		}
	}
	again := w.take(census.Claim{Systems: []string{a}}, census.Claim{Systems: []string{a}})
	if alone, _ := again.Sizes(0); alone != 0 {
		t.Errorf("two generations of one system: %d alone", alone)
	}
}

func TestDroppingAClaimLetsGoWhatNobodyElseNeeds(t *testing.T) {
	w := newWorld(t)
	a, b := w.system("shared", "a"), w.system("shared", "b")
	c := w.take(census.Claim{Systems: []string{a}}, census.Claim{Systems: []string{b}})
	if freed := c.Drop(0); freed != 1+w.own(a) {
		t.Errorf("%d bytes are let go", freed)
	}
	for content, want := range map[string]bool{"a": false, "shared": true, "kernel": true, "b": true} {
		if c.Needed(store.Objects, w.object(content).String()) != want {
			t.Errorf("%s: needed is not %v", content, want)
		}
	}
	if c.Needed(store.Systems, a) || !c.Needed(store.Systems, b) {
		t.Error("the wrong system is needed")
	}
}

func TestNamesAreOfAnyKind(t *testing.T) {
	w := newWorld(t)
	a := w.system("a")
	text, _ := w.System(w.system("b"))
	m, err := system.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	c := w.take(census.Claim{Names: []string{a, m.Trees["usr"], w.object("bundle").String(), strings.Repeat("0", 64)}})
	for _, content := range []string{"a", "b", "bundle", "kernel"} {
		if !c.Needed(store.Objects, w.object(content).String()) {
			t.Errorf("%s is not needed", content)
		}
	}
	if c.Errs[0] != nil || !c.Needed(store.Systems, a) || !c.Needed(store.Trees, m.Trees["usr"]) {
		t.Errorf("%v", c.Errs)
	}
}

func TestWhatCannotBeFollowedIsSaid(t *testing.T) {
	w := newWorld(t)
	a, b := w.system("a"), w.system("b")
	text, _ := w.System(b)
	m, _ := system.ParseManifest(text)
	if err := os.WriteFile(filepath.Join(w.Dir(), "trees", m.Trees["usr"]), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := w.take(census.Claim{Systems: []string{a}}, census.Claim{Systems: []string{b}}, census.Claim{Systems: []string{strings.Repeat("0", 64)}})
	if c.Errs[0] != nil || c.Errs[1] == nil || c.Errs[2] == nil {
		t.Errorf("%v", c.Errs)
	}
}
