package mirror_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
)

// repository is an archive as a configuration would declare it.
func repository(a *mirrortest.Archive, s *mirrortest.Server) mirror.Archive {
	keys := a.Key.Keyring()
	keys.Owner = "repositories." + a.Name + ".key"
	return mirror.Archive{Name: a.Name, Suite: a.Suite, URL: s.Beside(a.Name), Keys: keys}
}

func packagesOf(indices []*catalog.Catalog) (all []*debian.Package) {
	for _, index := range indices {
		all = append(all, index.All()...)
	}
	return all
}

func namesOf(indices []*catalog.Catalog) string {
	var all []string
	for _, p := range packagesOf(indices) {
		all = append(all, p.Name+"="+p.Version)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// A mirror has debian and debian-security side by side, each with its suites.
func TestSeveralSuitesComeFromOneMirror(t *testing.T) {
	main := mirrortest.New("trixie", now)
	main.Add(mirrortest.Deb{Name: "a"})
	main.AddTo("non-free-firmware", mirrortest.Deb{Name: "firmware"})
	security, backports := mirrortest.New("trixie-security", now), mirrortest.New("trixie-backports", now)
	security.Name, security.Key, backports.Key = "debian-security", main.Key, main.Key
	fixed := security.Add(mirrortest.Deb{Name: "a", Version: "1.0+fixed"})
	backports.NotAutomatic, backports.Upgrades = true, true
	backports.Add(mirrortest.Deb{Name: "a", Version: "2.0~bpo"})
	s := main.Serve(t, security, backports)
	c := client(t, main.Key.Keyring(), flag(s.URL))
	for _, test := range []struct {
		archive    mirror.Archive
		components []string
		want       string
		automatic  bool
	}{
		{trixie, []string{"main"}, "a=1.0", true},
		{trixie, []string{"main", "non-free-firmware"}, "a=1.0 firmware=1.0", true},
		{mirror.Archive{Name: "debian-security", Suite: "trixie-security"}, []string{"main"}, "a=1.0+fixed", true},
		{mirror.Archive{Name: "debian", Suite: "trixie-backports"}, []string{"main"}, "a=2.0~bpo", false},
	} {
		r, indices, err := c.Indices(t.Context(), test.archive, now, test.components, []string{"amd64"})
		if err != nil {
			t.Fatal(err)
		}
		if have := namesOf(indices); have != test.want || r.NotAutomatic == test.automatic {
			t.Errorf("%s: %s, NotAutomatic %v; want %s", test.archive, have, r.NotAutomatic, test.want)
		}
	}
	if err := c.Fetch(t.Context(), fixed); err != nil {
		t.Error(err)
	}
	_, _, err := c.Indices(t.Context(), mirror.Archive{Name: "debian-security", Suite: "trixie-security"}, now, []string{"contrib"}, []string{"amd64"})
	var none *mirror.NoIndexError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), `suite trixie-security has no component "contrib"; it has updates/main`) {
		t.Errorf("have %v", err)
	}
}

func TestRepositoriesOfEveryShapeAreRead(t *testing.T) {
	for name, shape := range map[string]func(*mirrortest.Archive){
		"with dists":                 func(*mirrortest.Archive) {},
		"with a detached signature":  func(a *mirrortest.Archive) { a.Detached = true },
		"flat at the root":           func(a *mirrortest.Archive) { a.Suite = "./" },
		"flat at the root, by slash": func(a *mirrortest.Archive) { a.Suite = "/" },
		"flat below it":              func(a *mirrortest.Archive) { a.Suite = "all/amd64/" },
	} {
		t.Run(name, func(t *testing.T) {
			a := mirrortest.New("stable", now)
			a.Name = "example"
			shape(a)
			debs := a.Add(hello(), mirrortest.Deb{Name: "data", Architecture: "all"})
			if strings.HasPrefix(name, "flat") {
				a.Architectures = append(a.Architectures, "riscv64") // one index has all
				a.Add(mirrortest.Deb{Name: "foreign", Architecture: "riscv64"})
			}
			s := a.Serve(t)
			c := client(t, sharedKey.Keyring(), mirror.Sources{}) // Debian's keys are others
			_, indices, err := c.Indices(t.Context(), repository(a, s), now, []string{"main"}, []string{"amd64"})
			if err != nil {
				t.Fatal(err)
			}
			if have := namesOf(indices); have != "data=1.0 hello=1:2.0-1" {
				t.Errorf("have %s", have)
			}
			for i := range debs {
				debs[i].Archive = repository(a, s)
				if !slices.ContainsFunc(packagesOf(indices), func(p *debian.Package) bool { return p.Filename == debs[i].Path }) {
					t.Errorf("%s is not in the index", debs[i].Path)
				}
			}
			if err := c.Fetch(t.Context(), debs); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRepositoriesAreRefused(t *testing.T) {
	as := func(want any) func(error) bool { return func(err error) bool { return errors.As(err, want) } }
	for name, test := range map[string]struct {
		make  func(*mirrortest.Archive)
		spoil func(*mirror.Archive, *mirrortest.Server)
		is    func(error) bool
		says  string
	}{
		"of another key": {nil, func(a *mirror.Archive, _ *mirrortest.Server) { a.Keys = keysOf(sharedKey) }, as(new(*signature.UnknownKeyError)), "not in repositories.example.key"},
		"of an expired key": {func(a *mirrortest.Archive) {
			a.Key = mirrortest.NewKey("x", now.Add(-48*time.Hour), 24*time.Hour)
			a.Date = now.Add(-40 * time.Hour)
		}, nil, as(new(*signature.ExpiredKeyError)), "declare the renewed key as repositories.example.key"},
		"past its Valid-Until": {func(a *mirrortest.Archive) { a.ValidUntil = now.Add(-time.Minute) }, nil, as(new(*mirror.StaleError)), "the Release of repository example"},
		"without a signature":  {func(a *mirrortest.Archive) { a.Detached = true }, func(_ *mirror.Archive, s *mirrortest.Server) { s.Drop("dists/stable/Release.gpg") }, func(error) bool { return true }, "neither InRelease nor Release.gpg"},
		"altered":              {func(a *mirrortest.Archive) { a.Detached = true }, func(_ *mirror.Archive, s *mirrortest.Server) { s.Alter("dists/stable/Release") }, as(new(*signature.AlteredError)), "bad signature"},
		"of another suite":     {nil, func(a *mirror.Archive, _ *mirrortest.Server) { a.Suite = "oldstable" }, as(new(*mirror.NoSuiteError)), `repositories.example has no suite "oldstable"`},
		"not to be reached":    {nil, func(_ *mirror.Archive, s *mirrortest.Server) { s.Stop() }, as(new(*mirror.UnreachableError)), "repositories.example cannot be reached"},
		"for other machines":   {func(a *mirrortest.Archive) { a.Architectures = []string{"riscv64"} }, nil, as(new(*mirror.NoIndexError)), `no packages of main for architecture "amd64"; it has riscv64`},
		"of other components":  {func(a *mirrortest.Archive) { a.Components = []string{"free"} }, nil, as(new(*mirror.NoIndexError)), `repository example has no component "main"; it has free`},
	} {
		t.Run(name, func(t *testing.T) {
			a := mirrortest.New("stable", now)
			a.Name = "example"
			if test.make != nil {
				test.make(a)
			}
			a.Add(hello())
			s := a.Serve(t)
			archive := repository(a, s)
			if test.spoil != nil {
				test.spoil(&archive, s)
			}
			_, _, err := client(t, sharedKey.Keyring(), mirror.Sources{}).Indices(t.Context(), archive, now, []string{"main"}, []string{"amd64"})
			if err == nil || !test.is(err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("have %T: %v\nwant %s", err, err, test.says)
			}
		})
	}
}

func keysOf(key *mirrortest.Key) *signature.Keyring {
	ring := key.Keyring()
	ring.Owner = "repositories.example.key"
	return ring
}

// Whoever keeps a repository cannot speak for Debian.
func TestARepositorysKeyIsNotTakenForDebian(t *testing.T) {
	a := mirrortest.New("trixie", now)
	s := a.Serve(t)
	c := client(t, sharedKey.Keyring(), flag(s.URL))
	if _, err := c.Release(t.Context(), repository(a, s), now); err != nil {
		t.Fatal(err)
	}
	var unknown *signature.UnknownKeyError
	if _, err := c.Release(t.Context(), trixie, now); !errors.As(err, &unknown) {
		t.Errorf("have %v", err)
	}
}

func TestAnOlderReleaseIsPassedOver(t *testing.T) {
	old, current := mirrortest.New("trixie", now), mirrortest.New("trixie", now)
	old.Date, current.Key = now.Add(-72*time.Hour), old.Key
	lagging, good := old.Serve(t), current.Serve(t)
	locked := trixie
	locked.NotBefore = current.Date
	r, err := client(t, old.Key.Keyring(), flag(lagging.URL, good.URL)).Release(t.Context(), locked, now)
	if err != nil || r.URL != good.URL {
		t.Errorf("have %+v, %v", r, err)
	}
	_, err = client(t, old.Key.Keyring(), flag(lagging.URL)).Release(t.Context(), locked, now)
	var older *mirror.OlderError
	if !errors.As(err, &older) || !strings.Contains(err.Error(), "the Release of trixie is of 2026-11-20 12:00 UTC, but the one that was locked is of 2026-11-23 11:00 UTC") {
		t.Errorf("have %v", err)
	}
	locked.NotBefore = time.Time{}
	if _, err := client(t, old.Key.Keyring(), flag(lagging.URL)).Release(t.Context(), locked, now); err != nil {
		t.Error(err)
	}
}

// A snapshot comes from the snapshot service alone, though its packages may
// come from anywhere.
func TestASnapshotIsReadAtItsMoment(t *testing.T) {
	then := now.Add(-20 * 24 * time.Hour)
	old, current := mirrortest.New("trixie", then), mirrortest.New("trixie", now)
	current.Key = old.Key
	old.Key = mirrortest.NewKey("expired since", then.Add(-24*time.Hour), 48*time.Hour)
	old.ValidUntil = then.Add(7 * 24 * time.Hour)
	debs := old.Add(hello())
	files := old.Files()
	var asked []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		path, ok := strings.CutPrefix(r.URL.Path, "/archive/debian/"+then.UTC().Format("20060102T150405Z")+"/")
		data, found := files[path]
		if !ok || !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(service.Close)
	s := current.Serve(t)
	c := client(t, signature.Join(old.Key.Keyring(), current.Key.Keyring()), mirror.Sources{Flag: []string{s.URL}, Snapshot: service.URL})
	at := trixie
	at.Snapshot = then
	r, indices, err := c.Indices(t.Context(), at, now, []string{"main"}, []string{"amd64"})
	if err != nil || !r.Date.Equal(old.Date) || namesOf(indices) != "hello=1:2.0-1" {
		t.Fatalf("have %+v, %s, %v", r, namesOf(indices), err)
	}
	debs[0].Archive, debs[0].Date = at, then.Add(-12*time.Hour)
	if err := c.Fetch(t.Context(), debs); err != nil {
		t.Error(err)
	}
	for _, request := range s.Requests() {
		if strings.Contains(request.Path, "InRelease") {
			t.Errorf("a mirror was asked for %s", request.Path)
		}
	}
	if len(asked) == 0 {
		t.Error("the service was not asked")
	}

	at.Suite = "forky"
	var none *mirror.NoSuiteError
	if _, err := c.Release(t.Context(), at, now); !errors.As(err, &none) || !strings.Contains(err.Error(), "snapshot service has no suite forky at 2026-11-03 12:00 UTC") {
		t.Errorf("have %v", err)
	}
	service.Close()
	var unreachable *mirror.UnreachableError
	if _, err := c.Release(t.Context(), at, now); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "debian.snapshot is at Debian's snapshot service alone") {
		t.Errorf("have %v", err)
	}
}

// While a mirror is updated, its Release is newer than its indices, or the
// other way round. It is read again, and named if that does not help.
func TestAMirrorThatIsBeingUpdated(t *testing.T) {
	const index = "dists/trixie/main/binary-amd64/Packages.xz"
	before, after := mirrortest.New("trixie", now), mirrortest.New("trixie", now)
	before.ByHash, after.ByHash, after.Key = false, false, before.Key
	before.Date = now.Add(-6 * time.Hour)
	before.Add(mirrortest.Deb{Name: "hello", Version: "1.0"})
	after.Add(mirrortest.Deb{Name: "hello", Version: "2.0"})

	t.Run("and finished meanwhile", func(t *testing.T) {
		s := before.Serve(t)
		s.Replace(index, after.Files()[index])
		s.Then(index, func() { s.Replace("dists/trixie/InRelease", after.Files()["dists/trixie/InRelease"]) })
		_, indices, err := client(t, before.Key.Keyring(), flag(s.URL)).Indices(t.Context(), trixie, now, []string{"main"}, []string{"amd64"})
		if err != nil || namesOf(indices) != "hello=2.0" {
			t.Errorf("have %s, %v", namesOf(indices), err)
		}
	})
	t.Run("beside one that is whole", func(t *testing.T) {
		s, whole := before.Serve(t), before.Serve(t)
		s.Replace(index, after.Files()[index])
		_, indices, err := client(t, before.Key.Keyring(), flag(s.URL, whole.URL)).Indices(t.Context(), trixie, now, []string{"main"}, []string{"amd64"})
		if err != nil || namesOf(indices) != "hello=1.0" {
			t.Errorf("have %s, %v", namesOf(indices), err)
		}
	})
	for name, spoil := range map[string]func(*mirrortest.Server){
		"and keeps so":         func(s *mirrortest.Server) { s.Replace(index, after.Files()[index]) },
		"and lost the indices": func(s *mirrortest.Server) { s.Drop(index) },
	} {
		t.Run(name, func(t *testing.T) {
			s := before.Serve(t)
			spoil(s)
			_, _, err := client(t, before.Key.Keyring(), flag(s.URL)).Indices(t.Context(), trixie, now, []string{"main"}, []string{"amd64"})
			var moving *mirror.HalfUpdatedError
			if !errors.As(err, &moving) || !strings.Contains(err.Error(), "perhaps it is being updated right now; try again in ten minutes") || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("have %v", err)
			}
		})
	}
	t.Run("but its indices have names by hash", func(t *testing.T) {
		old := mirrortest.New("trixie", now)
		old.Add(mirrortest.Deb{Name: "hello", Version: "1.0"})
		s := old.Serve(t)
		s.Replace(index, after.Files()[index])
		_, indices, err := client(t, old.Key.Keyring(), flag(s.URL)).Indices(t.Context(), trixie, now, []string{"main"}, []string{"amd64"})
		if err != nil || namesOf(indices) != "hello=1.0" {
			t.Errorf("have %s, %v", namesOf(indices), err)
		}
	})
}
