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
		Archives: []lock.Archive{r.Locked([]string{"main"}, []string{"amd64"})},
		Packages: []lock.Package{real, made},
		Machines: map[string]lock.Machine{"m": {Wishes: strings.Repeat("0", 64), Packages: []lock.Key{real.Key(), made.Key()}}},
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(debs, mirror.Locked(l, l.Machines["m"].Packages)); diff != "" {
		t.Error(diff)
	}
}
