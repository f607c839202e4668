package state

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A tree of a test: path → "dir MODE", "-> target" or the content of a file.
type files map[string]string

func (f files) make(t *testing.T, base string) {
	t.Helper()
	for name, what := range f {
		path := filepath.Join(base, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(what, "-> "); ok && err == nil {
			err = os.Symlink(target, path)
		} else if what == "dir" && err == nil {
			err = os.MkdirAll(path, 0o750)
		} else if err == nil {
			err = os.WriteFile(path, []byte(what), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readFiles(t *testing.T, base string) files {
	t.Helper()
	found := files{}
	err := filepath.WalkDir(base, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(base, path)
		switch {
		case err != nil || name == "." || name == appliedRecord:
		case entry.Type() == os.ModeSymlink:
			target, err := os.Readlink(path)
			found[name] = "-> " + target
			return err
		case entry.IsDir():
			if children, _ := os.ReadDir(path); len(children) == 0 {
				found[name] = "dir"
			}
		default:
			content, err := os.ReadFile(path)
			found[name] = string(content)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func apply(t *testing.T, stateDir string, tree files, image, saved string) []string {
	t.Helper()
	dir := t.TempDir()
	tree.make(t, dir)
	problems, err := Var{Image: image, State: stateDir, Saved: saved, Tree: func() (string, error) { return dir, nil }}.Apply()
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

func TestVarTreeIsAppliedAsThePersonLeftIt(t *testing.T) {
	const dpkg = "-> /usr/lib/sysimage/dpkg"
	tests := []struct {
		name     string
		first    files // the tree of the first boot
		person   func(*testing.T, string)
		second   files // the tree of the second boot
		want     files
		problems int
	}{
		{
			name:   "what is missing is made",
			second: files{"var/lib/nginx": "dir", "var/lib/seed": "1", "var/lib/dpkg": dpkg, "var/run": "-> /run", "opt/x": "-> /usr/lib/opt/x"},
			want:   files{"var/lib/nginx": "dir", "var/lib/seed": "1", "var/lib/dpkg": dpkg, "var/run": "-> /run", "opt/x": "-> /usr/lib/opt/x"},
		},
		{
			name:   "unchanged seeds are renewed",
			first:  files{"var/seed": "1", "var/link": "-> one", "var/type": "1"},
			second: files{"var/seed": "2", "var/link": "-> two", "var/type": "-> two"},
			want:   files{"var/seed": "2", "var/link": "-> two", "var/type": "-> two"},
		},
		{
			name:  "changed seeds are a person's",
			first: files{"var/seed": "1", "var/mode": "1", "var/link": "-> one", "var/gone": "1"},
			person: func(t *testing.T, dir string) {
				files{"var/seed": "mine"}.make(t, dir)
				must(t, os.Chmod(filepath.Join(dir, "var/mode"), 0o600))
				must(t, os.Remove(filepath.Join(dir, "var/link")))
				must(t, os.Symlink("mine", filepath.Join(dir, "var/link")))
				must(t, os.Remove(filepath.Join(dir, "var/gone")))
			},
			second: files{"var/seed": "2", "var/mode": "2", "var/link": "-> two", "var/gone": "2"},
			want:   files{"var/seed": "mine", "var/mode": "1", "var/link": "-> mine", "var/gone": "2"},
		},
		{
			name:   "seeds that are no longer in the tree stay",
			first:  files{"var/seed": "1", "var/dir": "dir"},
			second: files{"var": "dir"},
			want:   files{"var/seed": "1", "var/dir": "dir"},
		},
		{
			name:   "owned symlinks are enforced, what was there is saved",
			person: func(t *testing.T, dir string) { files{"var/lib/dpkg/status": "mine", "srv/page": "mine"}.make(t, dir) },
			second: files{"var/lib/dpkg": dpkg, "srv/page": "-> /usr/lib/stet/var/page"},
			want: files{
				"var/lib/dpkg": dpkg, "srv/page": "-> /usr/lib/stet/var/page",
				"saved/7/var/lib/dpkg/status": "mine", "saved/7/srv/page": "mine",
			},
			problems: 2,
		},
		{
			name:   "an owned symlink is moved without a word",
			first:  files{"var/x": "-> /usr/lib/stet/old"},
			second: files{"var/x": "-> /usr/lib/stet/new"},
			want:   files{"var/x": "-> /usr/lib/stet/new"},
		},
		{
			name:   "an owned symlink that is gone from the tree is removed",
			first:  files{"var/x": "-> /usr/lib/stet/x", "var/cache/y": "-> /usr/lib/stet/y"},
			second: files{"var/cache/y/z": "seed"},
			want:   files{"var/cache/y/z": "seed"},
		},
		{
			name:  "but not when a person put something else there",
			first: files{"var/x": "-> /usr/lib/stet/x"},
			person: func(t *testing.T, dir string) {
				must(t, os.Remove(filepath.Join(dir, "var/x")))
				files{"var/x": "mine"}.make(t, dir)
			},
			second: files{"var": "dir"},
			want:   files{"var/x": "mine"},
		},
		{
			name: "a person's symlink to a directory is followed, not replaced",
			person: func(t *testing.T, dir string) {
				files{"srv/www": "dir", "var/www": "-> ../srv/www"}.make(t, dir)
			},
			second: files{"var/www/index": "seed"},
			want:   files{"srv/www/index": "seed", "var/www": "-> ../srv/www"},
		},
		{
			name:     "nothing is written outside of the state",
			person:   func(t *testing.T, dir string) { files{"var/www": "-> /proc"}.make(t, dir) },
			second:   files{"var/www/index": "seed", "var/other": "seed"},
			want:     files{"var/www": "-> /proc", "var/other": "seed"},
			problems: 1,
		},
		{
			name:     "a file in the place of a directory is one problem, the rest is done",
			person:   func(t *testing.T, dir string) { files{"var/lib": "mine"}.make(t, dir) },
			second:   files{"var/lib/seed": "1", "var/other": "seed"},
			want:     files{"var/lib": "mine", "var/other": "seed"},
			problems: 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.first != nil {
				if problems := apply(t, dir, test.first, "first", "saved/6"); len(problems) != 0 {
					t.Errorf("the first time: %q", problems)
				}
			}
			if test.person != nil {
				test.person(t, dir)
			}
			problems := apply(t, dir, test.second, "second", "saved/7")
			if len(problems) != test.problems {
				t.Errorf("%d problems, want %d: %q", len(problems), test.problems, problems)
			}
			if diff := cmp.Diff(test.want, readFiles(t, dir)); diff != "" {
				t.Error(diff)
			}
			// Once more, as after a crash before the record was written.
			must(t, os.Remove(filepath.Join(dir, appliedRecord)))
			apply(t, dir, test.second, "second", "saved/8")
			if diff := cmp.Diff(test.want, readFiles(t, dir)); diff != "" {
				t.Errorf("the second time: %s", diff)
			}
		})
	}
}

func TestTheSameVarImageIsNotWalked(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, files{"var/seed": "1"}, "same", "saved/1")
	_, err := Var{Image: "same", State: dir, Saved: "saved/2", Tree: func() (string, error) {
		return "", errors.New("the tree was asked for")
	}}.Apply()
	if err != nil {
		t.Error(err)
	}
}

// TestAnApplicationThatWasCutGoesBackAndOn has the power go when half of the
// seeds have their names.
func TestAnApplicationThatWasCutGoesBackAndOn(t *testing.T) {
	old := files{"var/a": "1", "var/b": "1", "var/mine": "1", "var/link": "-> one"}
	next := files{"var/a": "2", "var/b": "2", "var/mine": "2", "var/link": "-> two", "var/owned": "-> /usr/lib/stet/x"}
	for name, applying := range map[string]string{"the record is whole": "", "the record is empty": "empty"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			apply(t, dir, old, "old", "saved/1")
			files{"var/mine": "a person's"}.make(t, dir)
			before, err := os.ReadFile(filepath.Join(dir, appliedRecord))
			must(t, err)
			apply(t, dir, next, "next", "saved/2")
			must(t, os.Rename(filepath.Join(dir, appliedRecord), filepath.Join(dir, applyingRecord)))
			must(t, os.WriteFile(filepath.Join(dir, appliedRecord), before, 0o600))
			files{"var/b": "1"}.make(t, dir) // the others have their new content
			if applying == "empty" {
				files{"var/a": "1"}.make(t, dir)
				must(t, os.Remove(filepath.Join(dir, "var/link")))
				files{"var/link": "-> one"}.make(t, dir)
				must(t, os.Remove(filepath.Join(dir, "var/owned")))
				must(t, os.Truncate(filepath.Join(dir, applyingRecord), 0))
			}
			for i, tree := range []files{old, next, old} {
				image := []string{"old", "next", "old"}[i]
				if problems := apply(t, dir, tree, image, "saved/3"); len(problems) != 0 {
					t.Errorf("%s: %q", image, problems)
				}
				want := maps.Clone(tree)
				want["var/mine"] = "a person's"
				if diff := cmp.Diff(want, readFiles(t, dir)); diff != "" {
					t.Errorf("%d, %s: %s", i, image, diff)
				}
			}
		})
	}
}

func TestSeedsHaveModeAndTimeOfTheTree(t *testing.T) {
	dir, tree := t.TempDir(), t.TempDir()
	files{"var/lib/private/seed": "1"}.make(t, tree)
	must(t, os.Chmod(filepath.Join(tree, "var/lib/private"), 0o1730|os.ModeSticky))
	must(t, os.Chmod(filepath.Join(tree, "var/lib/private/seed"), 0o4711|os.ModeSetuid))
	epoch := time.Unix(1700000000, 0)
	must(t, os.Chtimes(filepath.Join(tree, "var/lib/private/seed"), epoch, epoch))
	if _, err := (Var{Image: "x", State: dir, Tree: func() (string, error) { return tree, nil }}).Apply(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"var/lib/private": os.ModeDir | os.ModeSticky | 0o730, "var/lib/private/seed": os.ModeSetuid | 0o711} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
		if !info.IsDir() && !info.ModTime().Equal(epoch) {
			t.Errorf("%s: %v, want %v", name, info.ModTime(), epoch)
		}
	}
}

func TestADamagedRecordLosesNothing(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, files{"var/seed": "1"}, "first", "saved/1")
	must(t, os.WriteFile(filepath.Join(dir, appliedRecord), []byte("stet var 9\nwho knows\n"), 0o600))
	problems := apply(t, dir, files{"var/seed": "2", "var/new": "2"}, "second", "saved/2")
	if len(problems) != 1 || !strings.Contains(problems[0], "stet var 9") {
		t.Errorf("problems: %q", problems)
	}
	if diff := cmp.Diff(files{"var/seed": "1", "var/new": "2"}, readFiles(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordReadsBackAsWritten(t *testing.T) {
	want := record{image: "digest", applied: map[string]applied{
		"var/file":            {kind: "file", mode: 0o4755, uid: 1, gid: 2, content: "abc"},
		"var/a b\n\"quote\"":  {kind: "link", uid: 0, gid: 5, content: "to a \\ place\n"},
		"var/lib/owned":       {kind: "owned", content: "/usr/lib/stet/x y"},
		"srv/not\xffutf8/one": {kind: "owned", content: "\xfe"},
	}}
	got, err := parseRecord(want.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.applied, got.applied, cmp.AllowUnexported(applied{})); diff != "" || got.image != want.image {
		t.Error(diff)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("stet var 1\nimage x\nfile 0644 0 0 abc \"var/a\"\nlink 0 0 \"t\" \"var/b\"\nowned \"t\" \"var/c\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		again, err := parseRecord(r.bytes())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, r.bytes(), err)
		}
		if diff := cmp.Diff(r.applied, again.applied, cmp.AllowUnexported(applied{})); diff != "" {
			t.Error(diff)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
