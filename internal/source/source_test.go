package source

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q"}, {"config", "user.email", "ada@example.org"}, {"config", "user.name", "Ada"},
	} {
		do(t, dir, args...)
	}
	return dir
}

func do(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestDescribeTellsCommitAndDirt(t *testing.T) {
	ctx, dir := context.Background(), repository(t)
	if c, err := Describe(ctx, dir); err != nil || c != (Commit{}) {
		t.Errorf("an empty repository: %+v, %v", c, err)
	}
	file := filepath.Join(dir, "stet.yaml")
	if err := os.WriteFile(file, []byte("name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Describe(ctx, dir); err != nil || !c.Dirty || c.ID != "" {
		t.Errorf("an untracked file: %+v, %v", c, err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "commit", "-q", "-m", "begin: write it down")
	c, err := Describe(ctx, dir)
	if err != nil || c.Dirty || len(c.ID) != 40 || c.Subject != "begin: write it down" || c.Date == "" {
		t.Errorf("a commit: %+v, %v", c, err)
	}
	if err := os.WriteFile(file, []byte("name: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Describe(ctx, dir); err != nil || !c.Dirty {
		t.Errorf("a changed file: %+v, %v", c, err)
	}
}

func TestADirectoryWithoutRepositoryHasNoProvenance(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if c, err := Describe(context.Background(), dir); err != nil || c != (Commit{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestBundleCanBeCloned(t *testing.T) {
	ctx, dir := context.Background(), repository(t)
	below := filepath.Join(dir, "machines")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(below, "stet.yaml"), []byte("name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "commit", "-q", "-m", "begin")
	var bundle bytes.Buffer
	if err := Bundle(ctx, below, &bundle); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(below, "*")); err != nil || len(left) != 1 {
		t.Errorf("in the configuration's directory there is now %v, %v", left, err)
	}
	place := t.TempDir()
	if err := os.WriteFile(filepath.Join(place, "b"), bundle.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, place, "clone", "-q", "b", "again")
	if _, err := os.Stat(filepath.Join(place, "again", "machines", "stet.yaml")); err != nil {
		t.Error(err)
	}
}

func TestBlameFollowsALine(t *testing.T) {
	ctx, dir := context.Background(), repository(t)
	file := filepath.Join(dir, "stet.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("name: x\nbase: minimal\n")
	if l, err := Blame(ctx, dir, "stet.yaml", 1); err != nil || l != (Line{}) {
		t.Errorf("an untracked file: %+v, %v", l, err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "-c", "user.name=Ada \x1b[31m", "commit", "-q", "-m", "begin: write it down", "--date", "2026-01-02T03:04:05+0100")
	write("# above\n# above\nname: x\nbase: standard\n")
	l, err := Blame(ctx, dir, "stet.yaml", 3)
	if err != nil || len(l.ID) != 40 || l.Subject != "begin: write it down" || l.Date != "2026-01-02T03:04:05+01:00" || l.Author == "" {
		t.Errorf("a line that moved: %+v, %v", l, err)
	}
	if l, err := Blame(ctx, dir, "stet.yaml", 4); err != nil || l != (Line{}) {
		t.Errorf("a line that changed: %+v, %v", l, err)
	}
	if l, err := Blame(ctx, dir, "nowhere", 4); err != nil || l != (Line{}) {
		t.Errorf("no file: %+v, %v", l, err)
	}
}

func TestUntrackedNamesFilesThatGitDoesNotKnow(t *testing.T) {
	ctx, dir := context.Background(), repository(t)
	files := []string{"a", "b*", "c", "ignored"}
	for _, name := range append(files, "other") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("ignored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", "a", "c")
	got, err := Untracked(ctx, dir, files)
	if err != nil || len(got) != 2 || got[0] != "b*" || got[1] != "ignored" {
		t.Errorf("got %q, %v", got, err)
	}
}
