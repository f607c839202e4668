package mirror_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
	"stet/internal/progress"
)

// big is a package of which a half is worth resuming.
func big() mirrortest.Deb {
	noise := make([]byte, 80_000)
	_, _ = rand.Read(noise)
	return mirrortest.Deb{Name: "big", Files: map[string]string{"/usr/share/noise": string(noise)}}
}

func content(t *testing.T, c *mirror.Client, d mirror.Deb) []byte {
	t.Helper()
	f, err := c.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// left lists what is in the cache, whole or not.
func left(t *testing.T, cache string) string {
	t.Helper()
	var names []string
	files, err := filepath.Glob(cache + "/debs/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, filepath.Ext(f))
	}
	return strings.Join(names, " ")
}

func TestFetchBringsPackages(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello(), big(), mirrortest.Deb{Name: "x"}, mirrortest.Deb{Name: "y"}, mirrortest.Deb{Name: "z"}, mirrortest.Deb{Name: "0"})
	s := a.Serve(t)
	var last progress.Event
	c, err := mirror.New(mirror.Options{
		Sources: flag(s.URL), Cache: t.TempDir(), Keys: a.Key.Keyring(),
		Report: func(e progress.Event) {
			if e.Done == e.Total {
				last = e
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch(t.Context(), append(debs, debs[0])); err != nil {
		t.Fatal(err)
	}
	var total int64
	files := a.Files()
	for _, d := range debs {
		total += d.Size
		if !bytes.Equal(content(t, c, d), files[d.Path]) {
			t.Errorf("%s differs", d.Name)
		}
	}
	if last.Total != total || !last.Bytes {
		t.Errorf("last event %+v, want %d bytes", last, total)
	}
	before := len(s.Requests())
	if err := c.Fetch(t.Context(), debs); err != nil || len(s.Requests()) != before || before != len(debs) {
		t.Errorf("again: %v, %d requests and then %d", err, before, len(s.Requests()))
	}
}

func TestAServerThatDropsAtHalfIsResumed(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(big())[0]
	s := a.Serve(t)
	s.HangUp(d.Path, int(d.Size/2), 1)
	c := client(t, a.Key.Keyring(), flag(s.URL))
	if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Fatal(err)
	}
	if r := s.Requests(); len(r) != 2 || !strings.HasPrefix(r[1].Range, "bytes=") {
		t.Errorf("requests %v", r)
	}
	content(t, c, d)
}

func TestAServerWithoutRangesThatAlwaysDropsEnds(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(big())[0]
	s := a.Serve(t)
	s.WithoutRanges()
	s.HangUp(d.Path, int(d.Size/2), 1000)
	cache := t.TempDir()
	err := clientAt(t, cache, a.Key.Keyring(), flag(s.URL)).Fetch(t.Context(), []mirror.Deb{d})
	if err == nil || !strings.Contains(err.Error(), "connection broke after") {
		t.Fatalf("have %v", err)
	}
	if have := left(t, cache); have != ".partial" {
		t.Errorf("left %q", have)
	}
	// The next command goes on, even with a server that begins anew.
	s.HangUp(d.Path, 0, 0)
	if err := clientAt(t, cache, a.Key.Keyring(), flag(s.URL)).Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Error(err)
	}
	if have := left(t, cache); have != ".deb" {
		t.Errorf("left %q", have)
	}
}

func TestOtherBytesAreRefusedAndRemoved(t *testing.T) {
	for name, spoil := range map[string]func(*mirrortest.Server, mirror.Deb){
		"altered":   func(s *mirrortest.Server, d mirror.Deb) { s.Alter(d.Path) },
		"truncated": func(s *mirrortest.Server, d mirror.Deb) { s.Truncate(d.Path, int(d.Size/2)) },
		"longer":    func(s *mirrortest.Server, d mirror.Deb) { s.Replace(d.Path, make([]byte, d.Size*2)) },
		"empty":     func(s *mirrortest.Server, d mirror.Deb) { s.Replace(d.Path, []byte{}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := mirrortest.New("trixie", now)
			d := a.Add(big())[0]
			s := a.Serve(t)
			spoil(s, d)
			cache := t.TempDir()
			err := clientAt(t, cache, a.Key.Keyring(), flag(s.URL)).Fetch(t.Context(), []mirror.Deb{d})
			var mismatch *mirror.MismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("have %v", err)
			}
			for _, want := range []string{s.URL, d.Path, d.SHA256, mismatch.HaveSHA256} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %s", err, want)
				}
			}
			if have := left(t, cache); have != "" {
				t.Errorf("left %q", have)
			}
		})
	}
}

func TestADamagedBeginningIsNoMirrorsFault(t *testing.T) {
	for name, garbage := range map[string]int64{"shorter": 100, "as long": 0, "longer": -100} {
		t.Run(name, func(t *testing.T) {
			a := mirrortest.New("trixie", now)
			d := a.Add(big())[0]
			cache := t.TempDir()
			c := clientAt(t, cache, a.Key.Keyring(), flag(a.Serve(t).URL))
			file := strings.TrimSuffix(c.Path(d), ".deb") + ".partial"
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, make([]byte, d.Size-garbage), 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil {
				t.Error(err)
			}
			if have := left(t, cache); have != ".deb" {
				t.Errorf("left %q", have)
			}
		})
	}
}

func TestAnotherMirrorHelps(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello(), big())
	for name, spoil := range map[string]func(*mirrortest.Server){
		"when one lost a package":   func(s *mirrortest.Server) { s.Drop(debs[0].Path) },
		"when one is not there":     (*mirrortest.Server).Stop,
		"when one is out of order":  func(s *mirrortest.Server) { s.Refuse(debs[1].Path, 500, -1, 99) },
		"when one wants us to wait": func(s *mirrortest.Server) { s.Refuse(debs[1].Path, 503, 3600, 99) },
		"when one forbids":          func(s *mirrortest.Server) { s.Refuse(debs[1].Path, 403, -1, 99) },
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := a.Serve(t), a.Serve(t)
			spoil(bad)
			c := client(t, a.Key.Keyring(), flag(bad.URL, good.URL))
			if err := c.Fetch(t.Context(), debs); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatNoMirrorHasIsGone(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello(), mirrortest.Deb{Name: "kept"}, mirrortest.Deb{Name: "lost"})
	s, down := a.Serve(t), a.Serve(t)
	down.Stop()
	s.Drop(debs[0].Path)
	s.Drop(debs[2].Path)
	c := client(t, a.Key.Keyring(), flag(s.URL, down.URL))
	err := c.Fetch(t.Context(), debs)
	var gone *mirror.GoneError
	if !errors.As(err, &gone) || len(gone.Debs) != 2 || gone.Debs[0].Name != "hello" {
		t.Fatalf("have %v", err)
	}
	for _, want := range []string{"package hello 1:2.0-1 (amd64) and 1 more", "stet update", "snapshot.debian.org", s.URL, down.URL} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if !c.Has(debs[1]) {
		t.Error("what was there was not fetched")
	}
}

func TestNoNetworkIsOneClearError(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello())
	s := a.Serve(t)
	s.Stop()
	for name, sources := range map[string]mirror.Sources{"mirror down": flag(s.URL), "no mirror": {}} {
		t.Run(name, func(t *testing.T) {
			err := client(t, a.Key.Keyring(), sources).Fetch(t.Context(), debs)
			var unreachable *mirror.UnreachableError
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "--mirror or STET_MIRROR") {
				t.Errorf("have %v", err)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(hello())[0]
	s := a.Serve(t)
	s.Refuse(d.Path, http.StatusTooManyRequests, 1, 1)
	begin := time.Now()
	if err := client(t, a.Key.Keyring(), flag(s.URL)).Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Error(err)
	}
	if n := len(s.Requests()); n != 2 || time.Since(begin) < time.Second {
		t.Errorf("%d requests in %s", n, time.Since(begin))
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(big())[0]
	good := a.Serve(t)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer silent.Close()
	c := client(t, a.Key.Keyring(), flag(silent.URL, good.URL))
	c.Hasten(1e6, 50e6)
	if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Error(err)
	}
}

func TestASlowServerIsNotLeft(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(big())[0]
	data := a.Files()[d.Path]
	requests := 0
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		for chunk := range slices.Chunk(data, len(data)/12) {
			time.Sleep(50 * time.Millisecond)
			_, _ = w.Write(chunk)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer slow.Close()
	c := client(t, a.Key.Keyring(), flag(slow.URL))
	c.Hasten(time.Millisecond, 400*time.Millisecond) // less than all of it takes
	if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil || requests != 1 {
		t.Errorf("have %v after %d requests", err, requests)
	}
}

// A limit on the size of files stands for a full disk: both end a write early.
func TestAFullDiskIsNoMirrorsFault(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(big())[0]
	s, other := a.Serve(t), a.Serve(t)
	cache := t.TempDir()
	c := clientAt(t, cache, a.Key.Keyring(), flag(s.URL, other.URL))
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 10_000, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	err := c.Fetch(t.Context(), []mirror.Deb{d})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EFBIG) || !strings.Contains(err.Error(), "write "+cache) {
		t.Errorf("have %v", err)
	}
	if n := len(s.Requests()) + len(other.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// Two processes that fetch the same do not spoil each other's files.
func TestTwoClientsMayShareACache(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello(), big(), mirrortest.Deb{Name: "x"})
	s := a.Serve(t)
	cache := t.TempDir()
	done := make(chan error)
	for range 4 {
		c := clientAt(t, cache, a.Key.Keyring(), flag(s.URL))
		go func() { done <- c.Fetch(t.Context(), debs) }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if have := left(t, cache); have != ".deb .deb .deb" {
		t.Errorf("left %q", have)
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestTheSnapshotServiceHasWhatMirrorsLost(t *testing.T) {
	a := mirrortest.New("trixie", now)
	d := a.Add(hello())[0]
	const date = "20261123T230000Z" // half a day after the Release
	snapshot := httptest.NewServer(http.StripPrefix("/archive/debian/"+date+"/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(a.Files()[r.URL.Path])
	})))
	defer snapshot.Close()
	s := a.Serve(t)
	s.Drop(d.Path)
	c := client(t, a.Key.Keyring(), mirror.Sources{Flag: []string{s.URL}, Snapshot: snapshot.URL})
	if err := c.Fetch(t.Context(), []mirror.Deb{d}); err != nil {
		t.Error(err)
	}
}
