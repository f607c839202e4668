package wrong_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
	"stet/test/loopback"
)

// exampleRepository is a repository beside Debian's archives.
func exampleRepository(w *loopback.World, debs ...mirrortest.Deb) *mirrortest.Archive {
	a := mirrortest.New("stable", time.Now())
	a.Name = "example"
	a.Add(debs...)
	w.Beside = append(w.Beside, a)
	return a
}

// declare writes a repository, with its key as a file, into stet.yaml.
func declare(t *testing.T, w *loopback.World, a *mirrortest.Archive, more string) {
	t.Helper()
	key, err := signature.Armored(a.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Stet.Dir, "example.asc"), []byte(key), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Declare(t, fmt.Sprintf("repositories: {example: {url: %q, suite: %s, key: ./example.asc}}\n%s", w.Server.Beside("example"), a.Suite, more))
}

func TestRepositoriesThatLie(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		make  func(a *mirrortest.Archive)
		spoil func(w *loopback.World, a *mirrortest.Archive)
		code  int
		words []string
	}{
		{
			name: "another key", code: 1, words: []string{"not in repositories.example.key", "ask those who keep it"},
			spoil: func(_ *loopback.World, a *mirrortest.Archive) {
				a.Key = mirrortest.NewKey("other", now.Add(-time.Hour), 0)
			},
		},
		{
			name: "an expired key", code: 1, words: []string{"expired", "renewed key", "repositories.example.key"},
			make: func(a *mirrortest.Archive) {
				a.Key = mirrortest.NewKey("old", now.Add(-72*time.Hour), 24*time.Hour)
				a.Date = now.Add(-60 * time.Hour)
			},
		},
		{
			name: "no such component", code: 2, words: []string{"repository example", `no component "main"`, "extra"},
			make: func(a *mirrortest.Archive) { a.Components = []string{"extra"} },
		},
		{
			name: "no such architecture", code: 2, words: []string{"repository example", `architecture "amd64"`, "riscv64"},
			make: func(a *mirrortest.Archive) { a.Architectures = []string{"riscv64"} },
		},
		{
			name: "no such suite", code: 1, words: []string{"repositories.example", `no suite "stable"`},
			spoil: func(w *loopback.World, _ *mirrortest.Archive) { w.Server.Drop("../example/dists/stable/InRelease") },
		},
		{
			name: "an altered package list", code: 1, words: []string{"example", "being updated right now", "ten minutes", "SHA-256"},
			make: func(a *mirrortest.Archive) { a.ByHash = false },
			spoil: func(w *loopback.World, _ *mirrortest.Archive) {
				w.Server.Alter("../example/dists/stable/main/binary-amd64/Packages.xz")
			},
		},
		{
			name: "an altered package", code: 1, words: []string{"tool", "SHA-256", "changed the file"},
			spoil: func(w *loopback.World, _ *mirrortest.Archive) {
				w.Server.Alter("../example/pool/main/t/tool/tool_1.0_amd64.deb")
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := loopback.New(t)
			a := exampleRepository(w)
			if c.make != nil {
				c.make(a)
			}
			a.Add(mirrortest.Deb{Name: "tool"})
			w.Serve(t)
			w.GiveDebs(t)
			before := w.Lock(t)
			if c.spoil != nil {
				c.spoil(w, a)
			}
			declare(t, w, a, "packages: [tool]")
			refused(t, w.Stet.Run(t, "lock"), c.code, c.words...)
			if w.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}

// An archive that is older than the locked one may be a replay: what was fixed
// since would be open again.
func TestAReplayedArchiveIsRefusedByName(t *testing.T) {
	w := loopback.New(t, mirrortest.Deb{Name: "greeting"})
	w.Serve(t)
	w.GiveDebs(t)
	w.Want(t, "greeting")
	w.Stet.Must(t, "lock")
	before := w.Lock(t)
	w.Archive.Date = w.Archive.Date.Add(-time.Hour)
	w.Serve(t)
	refused(t, w.Stet.Run(t, "update"), 1, "the Release of trixie is of", "lags behind", "--allow-older trixie")
	if w.Lock(t) != before {
		t.Error("stet.lock was changed")
	}
	w.Stet.Must(t, "update", "--dry-run", "--allow-older", "trixie")
}

func TestWishesThatNoArchiveMeets(t *testing.T) {
	w := loopback.New(t, mirrortest.Deb{Name: "greeting"}, mirrortest.Deb{Name: "other", Version: "2.0"})
	a := exampleRepository(w, mirrortest.Deb{Name: "greeting", Version: "1.5"})
	w.Serve(t)
	before := w.Lock(t)
	for _, c := range []struct {
		wish  string
		words []string
	}{
		{"greeting=3.0", []string{"greeting (= 3.0)", "no such version, only 1.5 and 1.0"}},
		{"greeting/example=3.0", []string{"greeting 3.0", "from example", "it has 1.5"}},
		{"other/example", []string{"other", "from example", "2.0 in trixie"}},
		{"greeting/exampel", []string{"exampel", `did you mean "example"?`}},
	} {
		t.Run(c.wish, func(t *testing.T) {
			here := *w
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			declare(t, &here, a, "packages: ['"+c.wish+"']")
			refused(t, here.Stet.Run(t, "lock"), 2, c.words...)
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}

// A machine of a repository, a fix and a local package is locked, moved by
// security alone, fetched elsewhere and built to the same bytes.
func TestAMachineOfManyArchives(t *testing.T) {
	text := func(name, version string) mirrortest.Deb {
		return mirrortest.Deb{Name: name, Version: version, Files: map[string]string{"/usr/share/" + name: version + "\n"}}
	}
	w := loopback.New(t, text("greeting", "1.0"), text("weather", "1.0"))
	a := exampleRepository(w, text("tool", "1.0"))
	w.Serve(t)
	w.GiveDebs(t)
	own := text("own", "0.1")
	file := filepath.Join(w.Stet.Dir, "own.deb")
	if err := os.WriteFile(file, own.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	declare(t, w, a, "debian: {security: true, updates: true}\npackages: [greeting, weather, tool, own: {local: ./own.deb}]")
	w.Stet.Must(t, "lock")
	for _, line := range []string{"  own 0.1 amd64 local ", "  tool 1.0 amd64 example ", "\n  repository example\n", "\n  name debian-security\n"} {
		if !strings.Contains(w.Lock(t), line) {
			t.Errorf("stet.lock does not have %q", line)
		}
	}

	w.Add(text("weather", "1.1"))
	w.Security.Add(text("greeting", "1.0+deb13u1"))
	for _, archive := range []*mirrortest.Archive{w.Archive, w.Updates, w.Security, a} {
		archive.Date = archive.Date.Add(time.Minute)
	}
	w.Serve(t)
	url := w.Server.Beside("example")
	rewrite(t, filepath.Join(w.Stet.Dir, "stet.yaml"), func(text string) string { // it is served elsewhere now
		begin, rest, _ := strings.Cut(text, `url: "`)
		_, end, _ := strings.Cut(rest, `"`)
		return begin + `url: "` + url + `"` + end
	})
	if said := w.Stet.Must(t, "lock").Stdout; !strings.Contains(said, "is up to date") {
		t.Errorf("a repository that moved makes the lock stale: %s", said)
	}
	if said := w.Stet.Must(t, "lock", "--dry-run").Stdout; !strings.Contains(said, "is up to date") {
		t.Errorf("a dry run finds something to change: %s", said)
	}
	said := w.Stet.Must(t, "update", "--security").Stdout
	if !strings.Contains(said, "~ greeting 1.0 → 1.0+deb13u1 (trixie-security)\n") || strings.Contains(said, "weather") {
		t.Errorf("update --security says\n%s", said)
	}
	built := w.Stet.Build(t)

	other := w.In(t, filepath.Join(t.TempDir(), "store"))
	other.Stet.Must(t, "fetch")
	if again := other.Stet.Build(t); again.Digest != built.Digest || again.Reused {
		t.Errorf("elsewhere it is %s, not %s", again.Digest, built.Digest)
	}

	if err := os.WriteFile(file, text("own", "0.2").Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, w.Stet.Run(t, "build"), 2, "own.deb is not the file that stet.lock was made for", "stet lock")
	if said := w.Stet.Must(t, "lock").Stdout; !strings.Contains(said, "~ own 0.1 → 0.2 (own.deb)\n") {
		t.Errorf("lock says\n%s", said)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refused(t, w.Stet.Run(t, "build"), 2, "own.deb does not exist")
}

func rewrite(t *testing.T, name string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(change(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
}
