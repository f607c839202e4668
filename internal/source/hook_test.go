package source

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAHookAsksOfItsDirectory is stet run by a hook of another repository.
func TestAHookAsksOfItsDirectory(t *testing.T) {
	dir, other := repository(t), repository(t)
	if err := os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte("name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "commit", "--quiet", "--message=mine")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git", "index"))
	if c, err := Describe(t.Context(), dir); err != nil || c.Subject != "mine" || c.Dirty {
		t.Errorf("%+v, %v", c, err)
	}
	outside := t.TempDir()
	if there, err := InRepository(t.Context(), outside); err != nil || there {
		t.Errorf("a directory of no repository: %v, %v", there, err)
	}
	outside = filepath.Join(outside, "new")
	if err := Init(t.Context(), outside); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, ".git", "HEAD")); err != nil {
		t.Error(err)
	}
	if there, err := InRepository(t.Context(), outside); err != nil || !there {
		t.Errorf("a repository without a commit: %v, %v", there, err)
	}
}
