package wrong_test

import (
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

func TestWishesThatCannotBeMet(t *testing.T) {
	w := loopback.New(t,
		mirrortest.Deb{Name: "top", Fields: map[string]string{"Depends": "middle (>= 1.0)"}},
		mirrortest.Deb{Name: "middle", Fields: map[string]string{"Depends": "nowhere (>= 2)"}},
		mirrortest.Deb{Name: "left", Fields: map[string]string{"Conflicts": "right"}},
		mirrortest.Deb{Name: "right"},
		mirrortest.Deb{Name: "greeting"},
	)
	w.Serve(t)
	before := w.Lock(t)
	for _, c := range []struct {
		name     string
		packages []string
		words    []string
	}{
		{"an unknown package", []string{"greetign"}, []string{"greetign", "greeting"}},
		{"a dependency that nothing provides", []string{"top"}, []string{"top", "middle", "nowhere (>= 2)"}},
		{"two that exclude each other", []string{"left", "right"}, []string{"left", "right", "onflict"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := *w
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			here.Want(t, c.packages...)
			refused(t, here.Stet.Run(t, "lock"), 2, c.words...)
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}

func TestArchivesThatLie(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		make  func(w *loopback.World)
		spoil func(t *testing.T, w *loopback.World)
		words []string
	}{
		{
			name: "altered text", words: []string{"bad signature"},
			spoil: func(_ *testing.T, w *loopback.World) { w.Server.Alter("dists/trixie/InRelease") },
		},
		{
			name: "a text without a signature", words: []string{"bad signature"},
			spoil: func(_ *testing.T, w *loopback.World) {
				w.Server.Replace("dists/trixie/InRelease", []byte("Suite: trixie\n"))
			},
		},
		{
			name: "a key that is not embedded", words: []string{"not embedded"},
			spoil: func(t *testing.T, w *loopback.World) {
				w.Trust(t, mirrortest.NewKey("another", now.Add(-time.Hour), 0))
			},
		},
		{
			name: "an expired key", words: []string{"expired"},
			make: func(w *loopback.World) {
				w.Archive.Key = mirrortest.NewKey("old", now.Add(-72*time.Hour), 24*time.Hour)
				w.Archive.Date = now.Add(-60 * time.Hour)
			},
		},
		{
			name: "an expired Release", words: []string{"valid until", "trixie"},
			make: func(w *loopback.World) { w.Archive.ValidUntil = now.Add(-time.Minute) },
		},
		{
			name: "an altered index", words: []string{"other bytes", "SHA-256"},
			spoil: func(_ *testing.T, w *loopback.World) {
				for path := range w.Archive.Files() {
					if len(path) > 64 && path[:6] == "dists/" {
						w.Server.Alter(path)
					}
				}
				w.Server.Alter("dists/trixie/main/binary-amd64/Packages.xz")
			},
		},
		{
			name: "no such suite", words: []string{"trixie"},
			spoil: func(_ *testing.T, w *loopback.World) { w.Server.Drop("dists/trixie/InRelease") },
		},
		{
			name: "a server that is gone", words: []string{"no mirror can be reached"},
			spoil: func(_ *testing.T, w *loopback.World) { w.Server.Stop() },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := loopback.New(t, mirrortest.Deb{Name: "greeting"})
			before := w.Lock(t)
			if c.make != nil {
				c.make(w)
			}
			w.Serve(t)
			w.Want(t, "greeting")
			if c.spoil != nil {
				c.spoil(t, w)
			}
			refused(t, w.Stet.Run(t, "lock"), 1, c.words...)
			if w.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}
