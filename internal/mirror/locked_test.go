package mirror_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/lock"
	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
)

func TestALockNamesWhatTheArchiveHas(t *testing.T) {
	a := mirrortest.New("trixie", now)
	debs := a.Add(hello())
	r, err := client(t, a.Key.Keyring(), flag(a.Serve(t).URL)).Release(t.Context(), trixie, now)
	if err != nil {
		t.Fatal(err)
	}
	d := debs[0]
	real := lock.Package{Name: d.Name, Version: d.Version, Architecture: d.Architecture, Archive: "trixie", Size: d.Size, SHA256: d.SHA256, Path: d.Path}
	made := lock.Package{Name: "stet-initrd", Version: "1", Architecture: "amd64", Synthetic: true}
	l := &lock.Lock{
		Archives: []lock.Archive{r.Locked("trixie", []string{"main"}, []string{"amd64"})},
		Packages: []lock.Package{real, made},
		Machines: map[string]lock.Machine{"m": {Wishes: strings.Repeat("0", 64), Packages: []lock.Key{real.Key(), made.Key()}}},
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	locked, err := mirror.Locked(l, l.Machines["m"].Packages, nil)
	if diff := cmp.Diff(debs, locked); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// Where a repository is stands in the configuration, and in no lock.
func TestALockNamesARepositoryAndNotItsURL(t *testing.T) {
	a := mirrortest.New("stable", now)
	a.Name = "example"
	debs := a.Add(hello())
	s := a.Serve(t)
	archive := repository(a, s)
	r, err := client(t, sharedKey.Keyring(), mirror.Sources{}).Release(t.Context(), archive, now)
	if err != nil {
		t.Fatal(err)
	}
	d := debs[0]
	p := lock.Package{Name: d.Name, Version: d.Version, Architecture: d.Architecture, Archive: "example", Size: d.Size, SHA256: d.SHA256, Path: d.Path}
	own := lock.Package{Name: "own", Version: "1", Architecture: "all", Local: true, Size: 1, SHA256: d.SHA256, Path: "own.deb"}
	l := &lock.Lock{Archives: []lock.Archive{r.Locked("example", []string{"main"}, []string{"amd64"})}, Packages: []lock.Package{p, own}}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	text := string(l.Format())
	if strings.Contains(text, s.URL) || !strings.Contains(text, "  repository example\n") || !strings.Contains(text, "  key "+a.Key.Fingerprint()) {
		t.Errorf("the lock is\n%s", text)
	}
	keys := []lock.Key{p.Key(), own.Key()}
	if _, err := mirror.Locked(l, keys, nil); err == nil || !strings.Contains(err.Error(), "repository example, which is not declared") {
		t.Errorf("have %v", err)
	}
	locked, err := mirror.Locked(l, keys, map[string]mirror.Archive{"example": archive})
	if err != nil || len(locked) != 1 || locked[0].Archive != archive {
		t.Errorf("have %+v, %v", locked, err)
	}
}
