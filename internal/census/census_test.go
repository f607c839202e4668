package census_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/census"
	"stet/internal/store"
	"stet/internal/system/systemtest"
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

func (w world) object(content string) verity.Digest { return systemtest.Object(w.t, w.Store, content) }

// system gives the digest of a system with files that have these contents.
func (w world) system(contents ...string) string {
	w.t.Helper()
	usr := map[string]string{}
	for _, content := range contents {
		usr["/"+content] = content
	}
	return systemtest.Put(w.t, w.Store, systemtest.System{Usr: usr})
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
	m := systemtest.Read(w.t, w.Store, digest)
	for kind, name := range map[store.Kind]string{store.Systems: digest, store.Trees: m.Trees["usr"], store.Images: m.Images["usr"].String()} {
		n, err := w.Size(kind, name)
		if err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// rest gives the size of the trees and images that all systems here share.
func (w world) rest(digest string) (sum int64) {
	w.t.Helper()
	m := systemtest.Read(w.t, w.Store, digest)
	for kind, name := range map[store.Kind]string{store.Trees: m.Trees["etc"], store.Images: m.Images["etc"].String()} {
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
		{1 + w.own(a), 6 + 6 + 6 + w.rest(a)},
		{4 + 6 + w.own(b), 6 + 6 + 6 + w.rest(b)},
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
	m := systemtest.Read(t, w.Store, w.system("b"))
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
	m := systemtest.Read(t, w.Store, b)
	if err := os.WriteFile(filepath.Join(w.Dir(), "trees", m.Trees["usr"]), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := w.take(census.Claim{Systems: []string{a}}, census.Claim{Systems: []string{b}}, census.Claim{Systems: []string{strings.Repeat("0", 64)}})
	if c.Errs[0] != nil || c.Errs[1] == nil || c.Errs[2] == nil {
		t.Errorf("%v", c.Errs)
	}
}

// Trees that follow each other are read in the same memory: each must still be
// found to need what it does.
func TestManyAlikeTreesAreToldApart(t *testing.T) {
	w := newWorld(t)
	var claims []census.Claim
	for n := range 40 {
		var contents []string
		for c := range 30 {
			if c%7 != n%7 {
				contents = append(contents, fmt.Sprintf("content %d as of %d", c, n/(c+1)))
			}
		}
		claims = append(claims, census.Claim{Systems: []string{w.system(contents...)}})
	}
	claims = append(claims, census.Claim{Systems: []string{strings.Repeat("0", 64)}})
	all := w.take(claims...)
	for i, claim := range claims[:40] {
		one := w.take(claim)
		wantAlone, wantShared := one.Sizes(0)
		alone, shared := all.Sizes(i)
		if all.Errs[i] != nil || alone+shared != wantAlone+wantShared {
			t.Errorf("claim %d: %d bytes alone and %d shared, want %d together; %v", i, alone, shared, wantAlone+wantShared, all.Errs[i])
		}
	}
}
