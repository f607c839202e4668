package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
)

var trixie = mirror.Archive{Name: "debian", Suite: "trixie"}

// client has an empty cache, and never waits for long.
func client(t testing.TB, keys *signature.Keyring, sources mirror.Sources) *mirror.Client {
	t.Helper()
	return clientAt(t, t.TempDir(), keys, sources)
}

func clientAt(t testing.TB, cache string, keys *signature.Keyring, sources mirror.Sources) *mirror.Client {
	t.Helper()
	c, err := mirror.New(mirror.Options{Sources: sources, Cache: cache, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	c.Hasten(time.Millisecond, time.Second)
	return c
}

func flag(urls ...string) mirror.Sources { return mirror.Sources{Flag: urls} }

// aptHost is a host whose APT sources are urls.
func aptHost(urls ...string) mirror.Sources {
	var list string
	for _, url := range urls {
		list += "deb " + url + " bookworm main\n"
	}
	return mirror.Sources{Host: fstest.MapFS{"etc/apt/sources.list": {Data: []byte(list)}}}
}

func hello() mirrortest.Deb {
	return mirrortest.Deb{
		Name: "hello", Version: "1:2.0-1",
		Fields: map[string]string{"Depends": "libc6 (>= 2.40), a | b"},
		Files:  map[string]string{"/usr/bin/hello": strings.Repeat("#!/bin/sh\n", 1000), "/usr/share/doc/hello/copyright": "free\n"},
		Links:  map[string]string{"/usr/bin/hi": "hello"},
	}
}

func TestReleaseAndIndexAreRead(t *testing.T) {
	for _, byHash := range []bool{true, false} {
		a := mirrortest.New("trixie", now)
		a.ByHash = byHash
		a.ValidUntil = now.Add(time.Hour)
		debs := a.Add(hello(), mirrortest.Deb{Name: "data", Architecture: "all"})
		dir := t.TempDir()
		if err := a.Write(dir); err != nil {
			t.Fatal(err)
		}
		for name, url := range map[string]string{"http": a.Serve(t).URL, "file": "file://" + dir} {
			t.Run(name, func(t *testing.T) {
				c := client(t, a.Key.Keyring(), flag(url))
				r, err := c.Release(t.Context(), trixie, now)
				if err != nil {
					t.Fatal(err)
				}
				if r.URL != url || !r.Date.Equal(a.Date) || len(r.Signers) != 1 || r.Signers[0] != a.Key.Fingerprint() || len(r.SHA256) != 64 {
					t.Errorf("have %+v", r)
				}
				index, err := c.Index(t.Context(), r, "main", "amd64")
				if err != nil {
					t.Fatal(err)
				}
				packages := index.All()
				if len(packages) != 2 || packages[1].Name != "hello" || packages[1].Depends.String() != "libc6 (>= 2.40), a | b" {
					t.Errorf("have %+v", packages)
				}
				if err := c.Fetch(t.Context(), debs); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAWarmIndexIsNotFetchedAgainUnlessItIsDamaged(t *testing.T) {
	a := mirrortest.New("trixie", now)
	a.Add(hello())
	s := a.Serve(t)
	c := client(t, a.Key.Keyring(), flag(s.URL))
	r, err := c.Release(t.Context(), trixie, now)
	if err != nil {
		t.Fatal(err)
	}
	file, _ := r.File("main/binary-amd64/Packages.xz")
	read := func() int {
		t.Helper()
		before := len(s.Requests())
		index, err := c.Index(t.Context(), r, "main", "amd64")
		if err != nil || index.Len() != 1 {
			t.Fatalf("have %v, %v", index, err)
		}
		return len(s.Requests()) - before
	}
	if n := read(); n != 1 {
		t.Errorf("cold: %d requests", n)
	}
	if n := read(); n != 0 {
		t.Errorf("warm: %d requests", n)
	}
	if err := os.WriteFile(c.IndexPath(file.SHA256), []byte("stet catalog\ngarbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := read(); n != 1 {
		t.Errorf("damaged: %d requests", n)
	}
	if left, _ := filepath.Glob(filepath.Dir(c.IndexPath("x")) + "/*.partial"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReleaseRefuses(t *testing.T) {
	as := func(want any) func(error) bool { return func(err error) bool { return errors.As(err, want) } }
	for name, test := range map[string]struct {
		spoil func(*mirrortest.Archive)
		after func(*mirrortest.Server)
		is    func(error) bool
		says  string
	}{
		"one past its Valid-Until":      {func(a *mirrortest.Archive) { a.ValidUntil = now.Add(-time.Minute) }, nil, as(new(*mirror.StaleError)), "valid until 2026-11-23 11:59"},
		"one from tomorrow":             {func(a *mirrortest.Archive) { a.Date = now.Add(24 * time.Hour) }, nil, as(new(*signature.FutureError)), "2026-11-24"},
		"one dated ahead":               {func(a *mirrortest.Archive) { a.Date, a.Signed = now.Add(24*time.Hour), now }, nil, as(new(*signature.FutureError)), "2026-11-24"},
		"another suite's":               {nil, func(s *mirrortest.Server) { s.Replace("dists/trixie/InRelease", otherSuite()) }, as(new(*mirror.WrongSuiteError)), "of sid (sid), not of trixie"},
		"a suite that is not there":     {nil, func(s *mirrortest.Server) { s.Drop("dists/trixie/InRelease") }, as(new(*mirror.NoSuiteError)), "check the suite's name"},
		"altered text":                  {nil, func(s *mirrortest.Server) { s.Alter("dists/trixie/InRelease") }, as(new(*signature.AlteredError)), "bad signature"},
		"a server that is not there":    {nil, (*mirrortest.Server).Stop, as(new(*mirror.UnreachableError)), "check the network connection"},
		"a server in permanent trouble": {nil, func(s *mirrortest.Server) { s.Refuse("dists/trixie/InRelease", 503, 0, 99) }, as(new(*mirror.UnreachableError)), "503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			a := mirrortest.New("trixie", now)
			a.Key = sharedKey
			if test.spoil != nil {
				test.spoil(a)
			}
			s := a.Serve(t)
			if test.after != nil {
				test.after(s)
			}
			_, err := client(t, a.Key.Keyring(), flag(s.URL)).Release(t.Context(), trixie, now)
			if err == nil || !test.is(err) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("have %T: %v", err, err)
			}
		})
	}
}

var sharedKey = mirrortest.NewKey("shared", now.Add(-24*time.Hour), 0)

// otherSuite is what a mirror would replay to downgrade somebody.
func otherSuite() []byte {
	a := mirrortest.New("sid", now)
	a.Key = sharedKey
	return a.Files()["dists/sid/InRelease"]
}

func TestForeignRepositoriesOfTheHostArePassedOver(t *testing.T) {
	foreign, ours := mirrortest.New("trixie", now), mirrortest.New("trixie", now)
	debs := foreign.Add(hello())
	ours.Add(hello())
	f, o := foreign.Serve(t), ours.Serve(t)
	c := client(t, ours.Key.Keyring(), aptHost(f.URL, o.URL))
	r, err := c.Release(t.Context(), trixie, now)
	if err != nil || r.URL != o.URL {
		t.Fatalf("have %+v, %v", r, err)
	}
	if _, err := c.Index(t.Context(), r, "main", "amd64"); err != nil {
		t.Error(err)
	}
	if err := c.Fetch(t.Context(), debs); err != nil {
		t.Error(err)
	}
	for _, request := range f.Requests() {
		if request.Path != "dists/trixie/InRelease" {
			t.Errorf("the foreign repository was asked for %s", request.Path)
		}
	}

	_, err = client(t, ours.Key.Keyring(), aptHost(f.URL)).Release(t.Context(), trixie, now)
	var unknown *signature.UnknownKeyError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), foreign.Key.Fingerprint()) {
		t.Errorf("with the foreign one alone: %v", err)
	}
}

func TestANamedMirrorThatLiesEndsTheSearch(t *testing.T) {
	bad, good := mirrortest.New("trixie", now), mirrortest.New("trixie", now)
	b, g := bad.Serve(t), good.Serve(t)
	_, err := client(t, good.Key.Keyring(), flag(b.URL, g.URL)).Release(t.Context(), trixie, now)
	if err == nil || len(g.Requests()) > 0 {
		t.Errorf("have %v after %v", err, g.Requests())
	}
}

func TestAnIndexThatIsNotWhatTheReleaseNamesIsRefused(t *testing.T) {
	a := mirrortest.New("trixie", now)
	a.Add(hello())
	s := a.Serve(t)
	c := client(t, a.Key.Keyring(), flag(s.URL))
	r, err := c.Release(t.Context(), trixie, now)
	if err != nil {
		t.Fatal(err)
	}
	file, _ := r.File("main/binary-amd64/Packages.xz")
	s.Alter("dists/trixie/" + file.ByHash())
	_, err = c.Index(t.Context(), r, "main", "amd64")
	var mismatch *mirror.MismatchError
	if !errors.As(err, &mismatch) {
		t.Errorf("have %v", err)
	}
	for component, want := range map[string]string{"contrib": "no component", "main": "no packages of main for architecture"} {
		if _, err := c.Index(t.Context(), r, component, "riscv64"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}

func TestTheSnapshotServiceIsTheLastResort(t *testing.T) {
	a := mirrortest.New("trixie", now)
	s := a.Serve(t)
	requests := 0
	_, err := client(t, a.Key.Keyring(), mirror.Sources{Flag: []string{s.URL + "/nothing"}, Snapshot: strings.TrimSuffix(s.URL, "/debian")}).Release(t.Context(), trixie, now)
	for _, request := range s.Requests() {
		if strings.HasPrefix(request.Path, "/archive/debian/20261123T120000Z/dists/") {
			requests++
		}
	}
	if err == nil || requests != 1 {
		t.Errorf("have %v after %v", err, s.Requests())
	}
}

func TestCancelledWorkEndsAtOnce(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello())
	s := a.Serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := client(t, a.Key.Keyring(), flag(s.URL))
	if _, err := c.Release(ctx, trixie, now); !errors.Is(err, context.Canceled) {
		t.Errorf("Release: %v", err)
	}
	if err := c.Fetch(ctx, debs); !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch: %v", err)
	}
}

func TestRealDebsCanBeServed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hello.deb")
	if err := os.WriteFile(file, hello().Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	made, read := mirrortest.New("trixie", now), mirrortest.New("trixie", now)
	read.Key = made.Key
	made.Add(hello())
	if _, err := read.AddFile(file); err != nil {
		t.Fatal(err)
	}
	const pool = "pool/main/h/hello/hello_2.0-1_amd64.deb"
	if !bytes.Equal(made.Files()[pool], read.Files()[pool]) {
		t.Error("the pool differs")
	}
}
