package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	if out, err := Git(t.Context(), dir, args...).CombinedOutput(); err != nil {
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

func TestWithoutGitNobodyIsBlamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if line, err := Blame(t.Context(), t.TempDir(), "stet.yaml", 1); err != nil || !line.Unasked || line.ID != "" {
		t.Errorf("%+v, %v", line, err)
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
	c, err := Describe(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	write("all of it is new\n")
	do(t, dir, "commit", "-q", "-a", "-m", "begin anew")
	if l, err := BlameAt(ctx, dir, c.ID, "stet.yaml", 2); err != nil || l.ID != c.ID || l.Subject != "begin: write it down" {
		t.Errorf("a line that a commit had: %+v, %v", l, err)
	}
	if l, err := BlameAt(ctx, dir, c.ID, "stet.yaml", 3); err != nil || l != (Line{}) {
		t.Errorf("a line that the commit does not have: %+v, %v", l, err)
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

// histories are repositories that look differently to git and have one history.
func histories(t *testing.T, format string) (dir, packed string) {
	t.Helper()
	dir = t.TempDir()
	do(t, dir, "init", "-q", "-b", "trunk", "--object-format="+format)
	do(t, dir, "config", "user.email", "ada@example.org")
	do(t, dir, "config", "user.name", "Ada")
	for i, content := range []string{"name: x\n", "name: y\n", strings.Repeat("# a line that is packed well\n", 5000)} {
		if err := errors.Join(
			os.MkdirAll(filepath.Join(dir, "files/deep"), 0o755),
			os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte(content), 0o600),
			os.WriteFile(filepath.Join(dir, "files/deep/run ü"), fmt.Append(nil, i), 0o755),
		); err != nil {
			t.Fatal(err)
		}
		do(t, dir, "add", ".")
		do(t, dir, "commit", "-q", "-m", fmt.Sprint("change ", i))
	}
	packed = filepath.Join(t.TempDir(), "packed")
	do(t, dir, "clone", "-q", "--no-local", dir, packed)
	do(t, packed, "gc", "-q", "--aggressive")
	return dir, packed
}

func TestBundlesOfOneCommitAreTheSame(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir, packed := histories(t, format)
		var a, b bytes.Buffer
		if err := errors.Join(Bundle(t.Context(), dir, &a), Bundle(t.Context(), packed, &b)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the bundles differ", format)
		}
		place := t.TempDir()
		if err := os.WriteFile(filepath.Join(place, "b"), a.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		do(t, place, "clone", "-q", "b", "again")
		do(t, filepath.Join(place, "again"), "fsck", "--strict", "--full")
		if c, err := Describe(t.Context(), filepath.Join(place, "again")); err != nil || c.Subject != "change 2" || c.Dirty {
			t.Errorf("%s: the clone is %+v, %v", format, c, err)
		}
	}
}

func TestCheckoutIsARepository(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir, packed := histories(t, format)
		for _, change := range []func() error{
			func() error { return nil },
			func() error { // a tracked file, one that nobody told of, and one that was read
				return errors.Join(
					os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte("name: changed\n"), 0o644),
					os.WriteFile(filepath.Join(dir, "huge.raw"), []byte("no part of it"), 0o644),
					os.WriteFile(filepath.Join(dir, "stet.lock"), []byte("lock"), 0o644))
			},
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			want, err := Describe(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			target := t.TempDir()
			if err := Checkout(t.Context(), dir, []string{"stet.yaml", "stet.lock"}, target); err != nil {
				t.Fatal(err)
			}
			do(t, target, "fsck", "--strict", "--full")
			if got, err := Describe(t.Context(), target); err != nil || got != want {
				t.Errorf("%s: the checkout is at %+v, %v; want %+v", format, got, err, want)
			}
			if info, err := os.Stat(filepath.Join(target, "files/deep/run ü")); err != nil || info.Mode() != 0o755 {
				t.Errorf("%s: a program is %v, %v", format, info, err)
			}
			if _, err := os.Stat(filepath.Join(target, "huge.raw")); err == nil {
				t.Error("a file that nobody told of is in the checkout")
			}
			do(t, target, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-am", "it goes on")
		}
		a, b := t.TempDir(), t.TempDir()
		do(t, dir, "checkout", "-q", ".")
		if err := errors.Join(Checkout(t.Context(), dir, nil, a), Checkout(t.Context(), packed, nil, b)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("diff", "-r", a, b).CombinedOutput(); err != nil {
			t.Errorf("%s: two checkouts of one commit differ: %v\n%s", format, err, out)
		}
	}
}

func TestCheckoutBelowTheTopHasNoHistory(t *testing.T) {
	dir, target := repository(t), t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "a"), 0o755), os.WriteFile(filepath.Join(dir, "a/stet.yaml"), []byte("name: x\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	do(t, dir, "add", ".")
	do(t, dir, "commit", "-q", "-m", "begin")
	if err := Checkout(t.Context(), filepath.Join(dir, "a"), []string{"stet.yaml"}, target); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(target)
	if err != nil || len(entries) != 1 || entries[0].Name() != "stet.yaml" {
		t.Errorf("%v, %v", entries, err)
	}
}
