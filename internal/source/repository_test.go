package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bundled makes a commit, and gives its bundle and its name.
func bundled(t *testing.T, dir, text string) (bundle, commit string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "commit", "-q", "-m", text)
	bundle = filepath.Join(t.TempDir(), "bundle")
	file, err := os.Create(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := Bundle(context.Background(), dir, file); err != nil {
		t.Fatal(err)
	}
	c, err := Describe(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return bundle, c.ID
}

func TestARepositoryIsMadeAndBroughtForward(t *testing.T) {
	ctx, dir := context.Background(), repository(t)
	first, one := bundled(t, dir, "one")
	second, two := bundled(t, dir, "two")
	third, three := bundled(t, dir, "three")
	there := filepath.Join(t.TempDir(), "stet/repository")
	step := func(bundle, commit string, want How, problem string) {
		t.Helper()
		how, err := Advance(ctx, there, bundle, commit)
		if how != want || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%q, %v; want %q, %q", how, err, want, problem)
		}
	}
	at := func(commit string) {
		t.Helper()
		if c, err := Describe(ctx, there); err != nil || c.ID != commit {
			t.Errorf("it is at %+v, %v", c, err)
		}
	}
	step(first, one, Made, "")
	step(first, one, Already, "")
	step(second, two, Moved, "")
	at(two)
	if err := os.WriteFile(filepath.Join(there, "stet.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	step(third, three, "", "changes that are in no commit")
	do(t, there, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-a", "-m", "mine")
	step(third, three, "", "commits of its own")
	if text, err := os.ReadFile(filepath.Join(there, "stet.yaml")); err != nil || string(text) != "mine" {
		t.Errorf("what a person wrote is %q, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(there), ".*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestClonesAreThereWholeOrNotAtAll(t *testing.T) {
	there := filepath.Join(t.TempDir(), "again")
	broken := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(broken, []byte("# v2 git bundle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clone(context.Background(), broken, there); err == nil {
		t.Error("a broken bundle was cloned")
	}
	if left, _ := os.ReadDir(filepath.Dir(there)); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}
