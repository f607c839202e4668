package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/erofs"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/verity"
)

// TestAViewStaysLaidOutWhileItIsUsed views more trees than are kept.
func TestAViewStaysLaidOutWhileItIsUsed(t *testing.T) {
	s := openStore(t)
	first := putTree(t, s, 0)
	view := open(t, s, first)
	for i := range 2 * keptLayouts {
		if err := open(t, s, putTree(t, s, i+1)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	kept := filepath.Join(s.Dir(), "laidout")
	if _, err := os.Stat(filepath.Join(kept, first, "data", "n")); err != nil {
		t.Errorf("the tree in use is gone: %v", err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := open(t, s, putTree(t, s, 100+i)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(filepath.Join(kept, "*"))
	if err != nil || len(found) != 2*keptLayouts {
		t.Errorf("%d names are left, not a directory and a mark for each of %d: %v", len(found), keptLayouts, err)
	}
	if _, err := os.Stat(filepath.Join(kept, first)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tree used longest ago is still there: %v", err)
	}
}

// TestAViewHidesWhereItCameFrom reads one with every provider, and writes to
// one that has a place for it.
func TestAViewHidesWhereItCameFrom(t *testing.T) {
	for kind, provider := range providers {
		s := openStore(t)
		base := pkg(t, s, stanza("a"), "/data/a =one", "/usr d", "/bin >usr/bin", "/lib >usr/lib", "/lib64 >usr/lib64").Files
		digest, err := s.PutTree(base)
		if err != nil {
			t.Fatal(err)
		}
		image, err := s.PutImage(func(w io.Writer) error { return erofs.Write(w, base) })
		if err != nil {
			t.Fatal(err)
		}
		view, err := provider.View(s, digest, image)
		if err != nil {
			t.Fatal(err)
		}
		upper, work := t.TempDir(), t.TempDir()
		root := sandbox.Root{
			view.Mount("/", upper, work),
			{Target: "/usr", Bind: &sandbox.Bind{Source: "/usr", ReadOnly: true}},
			view.Mount("/frozen", "", ""),
		}
		var out strings.Builder
		const script = "cat /data/a; echo -n two > /data/a; cat /data/a /frozen/data/a; echo x 2>/dev/null > /frozen/data/a || echo -n refused"
		err = sandbox.Run(context.Background(), sandbox.Spec{Root: root, Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/bin"}, Stdout: &out, Stderr: &out})
		if want := "onetwoonerefused"; err != nil || !strings.HasPrefix(out.String(), "onetwoone") || !strings.HasSuffix(out.String(), "refused") {
			t.Errorf("%s: have %q, %v, want %q", kind, out.String(), err, want)
		}
		if err := view.Close(); err != nil {
			t.Error(err)
		}
	}
}

func putTree(t *testing.T, s *store.Store, n int) string {
	t.Helper()
	digest, err := s.PutTree(pkg(t, s, stanza("a"), fmt.Sprintf("/data/n =%d", n)).Files)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func open(t *testing.T, s *store.Store, digest string) View {
	t.Helper()
	view, err := LaidOut{}.View(s, digest, verity.Digest{})
	if err != nil {
		t.Fatal(err)
	}
	return view
}
