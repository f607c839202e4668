package resolve_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
	"stet/test/program"
)

func TestOnePackageMoreAndLess(t *testing.T) {
	w := loopback.New(t,
		mirrortest.Deb{Name: "greeting", Fields: map[string]string{"Depends": "words"}}, mirrortest.Deb{Name: "words"},
	)
	w.Serve(t)
	name := filepath.Join(w.Stet.Dir, "stet.yaml")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	git := func(args ...string) string { return program.Git(t, w.Stet.Dir, args...) }
	git("init", "--quiet", "--initial-branch=main")
	git("config", "user.name", "Ada")
	git("config", "user.email", "ada@example.org")
	w.Stet.Must(t, "lock")
	git("add", ".")
	git("commit", "--quiet", "--message=before")
	before, lock := read(), w.Lock(t)

	r := w.Stet.Run(t, "add", "greetign")
	if r.Code != 2 || !strings.Contains(r.Stderr, "greeting") || read() != before || w.Lock(t) != lock {
		t.Errorf("a package that there is not: exit code %d\n%s\n%s", r.Code, r.Stderr, read())
	}
	tried(t, w, before, lock)
	if have := git("status", "--porcelain"); have != "" {
		t.Errorf("after a try git says\n%s", have)
	}
	if err := os.WriteFile(filepath.Join(w.Stet.Dir, "other"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	git("add", "other") // what somebody has staged stays staged
	r = w.Stet.Must(t, "add", "greeting", "-m", "A greeting")
	if want := before + "packages: [greeting]\n"; read() != want || !strings.Contains(r.Stdout, "+packages: [greeting]") {
		t.Errorf("%s\n%s", cmp.Diff(want, read()), r.Stdout)
	}
	if has := w.Lock(t); !strings.Contains(has, "greeting") || !strings.Contains(has, "words") {
		t.Error("stet.lock has it not")
	}
	if have := git("show", "--format=%s", "--name-only", "HEAD"); have != "A greeting\n\nstet.lock\nstet.yaml" {
		t.Errorf("the commit is\n%s", have)
	}
	if have := git("status", "--porcelain"); have != "A  other" {
		t.Errorf("git says\n%s", have)
	}
	if r := w.Stet.Must(t, "build", "--json"); !strings.Contains(r.Stdout, `"reused": true`) {
		t.Errorf("what was tried is not what is added:\n%s", r.Stdout)
	}
	if r := w.Stet.Run(t, "add", "greeting"); r.Code != 2 || !strings.Contains(r.Stderr, "packages has greeting already") {
		t.Errorf("once more: exit code %d\n%s", r.Code, r.Stderr)
	}
	w.Stet.Must(t, "remove", "greeting")
	if want := before + "packages: []\n"; read() != want {
		t.Error(cmp.Diff(want, read()))
	}
	if has := w.Lock(t); strings.Contains(has, "greeting") {
		t.Error("stet.lock has it still")
	}
}
