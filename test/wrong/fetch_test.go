package wrong_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

// greeting is a package that no compression makes small.
func greeting(version string) mirrortest.Deb {
	var text strings.Builder
	for random := rand.New(rand.NewPCG(1, 2)); text.Len() < 400_000; {
		fmt.Fprintf(&text, "%x\n", random.Uint64())
	}
	return mirrortest.Deb{
		Name: "greeting", Version: version,
		Files: map[string]string{"/usr/share/greeting/text": version + "\n" + text.String()},
	}
}

// lockedWorld is a world whose lock has the greeting and what it builds to.
func lockedWorld(t *testing.T) (w *loopback.World, digest string) {
	w = loopback.New(t, greeting("1.0"))
	w.Serve(t)
	w.GiveDebs(t)
	w.Want(t, "greeting")
	w.Stet.Must(t, "lock")
	return w, w.Stet.Build(t).Digest
}

// TestPackagesThatCannotBeHad does all that can go wrong with the bytes of a lock, on
// the way and where they lie.
func TestPackagesThatCannotBeHad(t *testing.T) {
	w, want := lockedWorld(t)
	t.Run("fetches that fail", func(t *testing.T) { fetchesThatFail(t, w, want) })
	t.Run("a cached package that rotted", func(t *testing.T) { cachedPackageThatRotted(t, w, want) })
	t.Run("a mirror that lost a package", func(t *testing.T) { mirrorThatLostAPackage(t, w) })
}

// A package is fetched after everything that can go wrong with it, into a
// store that has all others.
func fetchesThatFail(t *testing.T, w *loopback.World, want string) {
	before := w.Lock(t)
	deb := w.Deb("greeting")
	whole := w.Archive.Files()[deb.Path]
	other := w.In(t, filepath.Join(t.TempDir(), "store"))
	other.GiveDebs(t)

	for _, c := range []struct {
		name  string
		spoil func(*mirrortest.Server)
		words []string
	}{
		{"a server that always drops at half and begins anew", func(s *mirrortest.Server) {
			s.WithoutRanges()
			s.HangUp(deb.Path, len(whole)/2, 1000)
		}, []string{"greeting"}},
		{"a truncated package", func(s *mirrortest.Server) { s.Truncate(deb.Path, len(whole)/2) }, []string{"greeting"}},
		{"an altered package", func(s *mirrortest.Server) { s.Alter(deb.Path) }, []string{"greeting", "SHA-256"}},
		{"a package that is gone", func(s *mirrortest.Server) { s.Drop(deb.Path) }, []string{"greeting 1.0", "no mirror has it", "stet update"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			other.Serve(t)
			c.spoil(other.Server)
			refused(t, other.Stet.Run(t, "fetch"), 1, c.words...)
			refused(t, other.Stet.Run(t, "build"), 2, "greeting", "stet fetch")
			if found, _ := filepath.Glob(filepath.Join(other.Store, "mirror", "debs", deb.SHA256+".deb")); len(found) > 0 {
				t.Errorf("%s is there", found)
			}
		})
	}

	t.Run("and then a server that drops once", func(t *testing.T) {
		other.Serve(t)
		server := other.Server
		server.HangUp(deb.Path, len(whole)/2, 1)
		asked := len(server.Requests())
		other.Stet.Must(t, "fetch")
		resumed := false
		for _, r := range server.Requests()[asked:] {
			resumed = resumed || r.Path == deb.Path && r.Range != ""
		}
		if !resumed {
			t.Errorf("the second half was not asked for alone: %v", server.Requests()[asked:])
		}
	})
	if built := other.Stet.Build(t); built.Digest != want {
		t.Errorf("the system is %s, not %s", built.Digest, want)
	}
	if w.Lock(t) != before {
		t.Error("stet.lock was changed")
	}
}

// What lies in the cache may rot too.
func cachedPackageThatRotted(t *testing.T, w *loopback.World, want string) {
	other := w.In(t, filepath.Join(t.TempDir(), "store"))
	other.GiveDebs(t)
	rotten := filepath.Join(other.Store, "mirror", "debs", w.Deb("greeting").SHA256+".deb")
	data := w.Archive.Files()[w.Deb("greeting").Path]
	data = append([]byte(nil), data...)
	data[len(data)/2] ^= 1
	if err := os.WriteFile(rotten, data, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, other.Stet.Run(t, "build"), 1, "greeting 1.0", "damaged", "stet fetch")
	other.Stet.Must(t, "fetch")
	if built := other.Stet.Build(t); built.Digest != want {
		t.Errorf("the system is %s, not %s", built.Digest, want)
	}
}

// A mirror drops what is locked when something newer has come. The lock cannot
// be had any more; a copy that is locked anew can, and builds to the same
// bytes twice.
func mirrorThatLostAPackage(t *testing.T, w *loopback.World) {
	before := w.Lock(t)
	lost := w.Deb("greeting")
	w.Add(greeting("1.1"))
	w.Archive.Forget(lost)
	w.Serve(t)

	other := w.In(t, filepath.Join(t.TempDir(), "store"))
	other.GiveDebs(t)
	refused(t, other.Stet.Run(t, "fetch"), 1, "greeting 1.0", "stet update")

	copied := *other
	copied.Stet.Dir = copyOf(t, w.Stet.Dir)
	copied.Stet.Must(t, "update", "greeting")
	if !strings.Contains(copied.Lock(t), "1.1") {
		t.Errorf("the copy's lock has no greeting 1.1\n%s", copied.Lock(t))
	}
	first := copied.Stet.Build(t)
	second := copied.In(t, filepath.Join(t.TempDir(), "store"))
	second.Stet.Must(t, "fetch")
	if again := second.Stet.Build(t); again.Digest != first.Digest || again.Reused {
		t.Errorf("the second build gives %s, the first %s", again.Digest, first.Digest)
	}
	if w.Lock(t) != before {
		t.Error("the lock of the repository itself was changed")
	}
}
