package build

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/mirror"
	"stet/internal/mirror/mirrortest"
	"stet/internal/signature"
	"stet/internal/store"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// archives are Debian's, as a stable machine sees them, and a repository.
type archives struct {
	trixie, updates, security, backports, sid, example *mirrortest.Archive

	past map[string]map[string][]byte // of the snapshot service: files by "debian/20261101T000000Z"
}

func deb(name, version string) mirrortest.Deb { return mirrortest.Deb{Name: name, Version: version} }

func depends(name, version, on string) mirrortest.Deb {
	return mirrortest.Deb{Name: name, Version: version, Fields: map[string]string{"Depends": on}}
}

func newArchives() *archives {
	suite := func(name, suite string) *mirrortest.Archive {
		a := mirrortest.New(suite, now)
		a.Name = name
		return a
	}
	a := &archives{
		trixie: suite("debian", "trixie"), updates: suite("debian", "trixie-updates"), security: suite("debian-security", "trixie-security"),
		backports: suite("debian", "trixie-backports"), sid: suite("debian", "sid"), example: suite("example", "stable"),
	}
	for _, other := range []*mirrortest.Archive{a.updates, a.security, a.backports, a.sid} {
		other.Key = a.trixie.Key
	}
	a.backports.NotAutomatic, a.backports.Upgrades = true, true
	a.trixie.Add(deb("base-files", "13"), deb("e2fsprogs", "1.47"), deb("systemd-boot-efi", "257"), deb("editor", "1.0"), depends("server", "1.0", "libserver"), deb("libserver", "1.0"))
	a.updates.Add(deb("zones", "2026b"))
	a.trixie.Add(deb("zones", "2026a"))
	a.security.Add(deb("libserver", "1.0+deb13u1"))
	a.backports.Add(depends("server", "2.0~bpo13+1", "libserver (>= 2.0~)"), deb("libserver", "2.0~bpo13+1"), deb("editor", "2.0~bpo13+1"))
	a.sid.Add(deb("editor", "3.0"), deb("novelty", "0.1"))
	a.example.Add(deb("tool", "1.0"), deb("editor", "0.9+example"))
	return a
}

// world is archives that are served, and a repository to lock.
type world struct {
	*archives
	t      *testing.T
	server *mirrortest.Server
	locker Locker
}

func (a *archives) serve(t *testing.T) *world {
	t.Helper()
	w := &world{archives: a, t: t}
	w.server = a.trixie.Serve(t, a.updates, a.security, a.backports, a.sid, a.example)
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	client, err := mirror.New(mirror.Options{
		Sources: mirror.Sources{Flag: []string{w.server.URL}, Snapshot: a.snapshots(t)}, Cache: filepath.Join(s.Dir(), "mirror"), Keys: a.trixie.Key.Keyring(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.locker = Locker{Store: s, Mirror: client, Repository: t.TempDir(), Now: now}
	return w
}

// stable is a machine with its fixes, that wishes packages.
func (w *world) stable(packages map[string]machine.Package) *machine.Machine {
	armored, err := signature.Armored(w.example.Key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	return &machine.Machine{
		Name: "hello", Base: machine.BaseMinimal, Packages: packages,
		Debian:       machine.Debian{Suite: "trixie", Suites: []string{"sid", "trixie-backports"}, Updates: true, Security: true, Components: []string{"main"}, Architecture: "amd64"},
		Repositories: map[string]machine.Repository{"example": {URL: w.server.Beside("example"), Suite: "stable", Components: []string{"main"}, Key: armored}},
	}
}

func (w *world) resolve(old *lock.Lock, update Update, machines ...*machine.Machine) (*Resolved, error) {
	all := map[string]*machine.Machine{}
	for _, m := range machines {
		all[m.Name] = m
	}
	r, err := w.locker.Resolve(context.Background(), all, old, update)
	if err == nil {
		err = r.Lock.Check()
	}
	return r, err
}

func (w *world) must(old *lock.Lock, update Update, machines ...*machine.Machine) *Resolved {
	w.t.Helper()
	r, err := w.resolve(old, update, machines...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// has is what a machine got, as "name version archive", tools left out.
func has(l *lock.Lock, name string) string {
	var all []string
	for _, p := range l.Select(l.Machines[name].Packages) {
		from := p.Archive
		if p.Local {
			from = p.Path
		}
		all = append(all, p.Name+" "+p.Version+" "+from)
	}
	return strings.Join(all, ", ")
}

func wants(names ...string) map[string]machine.Package {
	all := map[string]machine.Package{}
	for _, name := range names {
		var p machine.Package
		name, p.Version, _ = strings.Cut(name, "=")
		name, p.Suite, _ = strings.Cut(name, "/")
		all[name] = p
	}
	return all
}

func TestPackagesComeFromTheArchiveThatAptWouldTake(t *testing.T) {
	w := newArchives().serve(t)
	for _, test := range []struct{ wish, want string }{
		{"editor", "editor 1.0 trixie"},
		{"zones", "zones 2026b trixie-updates"},
		{"server", "libserver 1.0+deb13u1 trixie-security, server 1.0 trixie"},
		{"editor/trixie-backports", "editor 2.0~bpo13+1 trixie-backports"},
		{"server/trixie-backports", "libserver 2.0~bpo13+1 trixie-backports, server 2.0~bpo13+1 trixie-backports"},
		{"editor/sid", "editor 3.0 sid"},
		{"zones/trixie", "zones 2026a trixie"},
		{"novelty", "novelty 0.1 sid"},
		{"tool", "tool 1.0 example"},
		{"editor/example", "editor 0.9+example example"},
		{"editor=2.0~bpo13+1", "editor 2.0~bpo13+1 trixie-backports"},
		{"libserver=1.0", "libserver 1.0 trixie"},
		{"editor/sid=3.0", "editor 3.0 sid"},
	} {
		if have := has(w.must(nil, Update{}, w.stable(wants(test.wish))).Lock, "hello"); have != test.want {
			t.Errorf("%s: have %s, want %s", test.wish, have, test.want)
		}
	}
	for wish, want := range map[string]string{
		"tool/sid":     "packages wants tool from sid, which does not have it: there is 1.0 in example",
		"nothing/sid":  "packages wants nothing from sid, which does not have it",
		"editor=9":     "packages wants editor (= 9): there is no such version, only 1.0, 0.9+example, 3.0 and 2.0~bpo13+1",
		"editor/sid=9": "packages wants editor 9 from sid, which does not have it: it has 3.0",
	} {
		if _, err := w.resolve(nil, Update{}, w.stable(wants(wish))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have %v, want %s", wish, err, want)
		}
	}
}

// A repository's packages are taken by themselves, unless it says not to.
func TestARepositoryMayKeepToItself(t *testing.T) {
	a := newArchives()
	a.example.Add(deb("server", "9.0"))
	w := a.serve(t)
	if have := has(w.must(nil, Update{}, w.stable(wants("server"))).Lock, "hello"); have != "server 9.0 example" {
		t.Errorf("have %s", have)
	}
	a.example.NotAutomatic = true
	w = a.serve(t)
	if have := has(w.must(nil, Update{}, w.stable(wants("server"))).Lock, "hello"); !strings.Contains(have, "server 1.0 trixie") {
		t.Errorf("have %s", have)
	}
}

func TestTheLockNamesTheArchives(t *testing.T) {
	w := newArchives().serve(t)
	l := w.must(nil, Update{}, w.stable(wants("tool"))).Lock
	var ids []string
	for _, a := range l.Archives {
		ids = append(ids, a.ID+"="+a.Name)
	}
	if want := []string{"example=example", "sid=debian", "trixie=debian", "trixie-backports=debian", "trixie-security=debian-security", "trixie-updates=debian"}; !slices.Equal(ids, want) {
		t.Errorf("have %v", ids)
	}
	example, _ := l.Archive("example")
	if !example.Repository || !slices.Equal(example.Keys, []string{w.example.Key.Fingerprint()}) {
		t.Errorf("have %+v", example)
	}
	if strings.Contains(string(l.Format()), "127.0.0.1") {
		t.Error("the lock names a place")
	}
}

// newer is the world some days later.
func newer(w *world) *world {
	a := w.archives
	for _, archive := range []*mirrortest.Archive{a.trixie, a.updates, a.security, a.backports, a.sid, a.example} {
		archive.Date = archive.Date.Add(time.Minute)
	}
	a.trixie.Add(deb("editor", "1.1"))
	a.security.Add(deb("libserver", "1.0+deb13u2"), deb("unrelated", "1"))
	a.backports.Add(deb("editor", "2.1~bpo13+1"))
	later := a.serve(w.t)
	later.locker.Repository = w.locker.Repository
	return later
}

func TestWhatIsLockedStaysUntilItIsMoved(t *testing.T) {
	w := newArchives().serve(t)
	m := func(w *world) *machine.Machine { return w.stable(wants("editor", "server")) }
	old := w.must(nil, Update{}, m(w)).Lock
	w = newer(w)
	for _, test := range []struct {
		name   string
		update Update
		want   string
		fixes  string
	}{
		{"a lock", Update{}, "editor 1.0 trixie, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie", ""},
		{"an update", Update{All: true}, "editor 1.1 trixie, libserver 1.0+deb13u2 trixie-security, server 1.0 trixie", "libserver:amd64=1.0+deb13u2"},
		{"of security", Update{Security: true}, "editor 1.0 trixie, libserver 1.0+deb13u2 trixie-security, server 1.0 trixie", "libserver:amd64=1.0+deb13u2"},
		{"of one package", Update{Packages: map[string]bool{"editor": true}}, "editor 1.1 trixie, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie", ""},
	} {
		r := w.must(old, test.update, m(w))
		if have := has(r.Lock, "hello"); have != test.want {
			t.Errorf("%s: have %s, want %s", test.name, have, test.want)
		}
		var fixes []string
		for key, id := range r.Fixes {
			if fixes = append(fixes, key.String()); id != "trixie-security" {
				t.Errorf("%s: %s is fixed by %s", test.name, key, id)
			}
		}
		if have := strings.Join(fixes, " "); have != test.fixes {
			t.Errorf("%s: fixes %s, want %s", test.name, have, test.fixes)
		}
		if moved := r.Lock.Epoch != old.Epoch; moved != test.update.All {
			t.Errorf("%s: the epoch moved: %v", test.name, moved)
		}
	}
}

// A package of another suite stays as well, and goes back when nobody asks for
// it from there any more.
func TestAPackageOfAnotherSuiteStays(t *testing.T) {
	w := newArchives().serve(t)
	old := w.must(nil, Update{}, w.stable(wants("editor/trixie-backports", "server"))).Lock
	w = newer(w)
	for _, test := range []struct {
		wish   string
		update Update
		want   string
	}{
		{"editor/trixie-backports", Update{}, "editor 2.0~bpo13+1 trixie-backports"},
		{"editor/trixie-backports", Update{All: true}, "editor 2.1~bpo13+1 trixie-backports"},
		{"editor", Update{}, "editor 1.1 trixie"},
		{"editor/sid", Update{}, "editor 3.0 sid"},
	} {
		if have := has(w.must(old, test.update, w.stable(wants(test.wish))).Lock, "hello"); have != test.want {
			t.Errorf("%s: have %s, want %s", test.wish, have, test.want)
		}
	}
	m := w.stable(wants("editor"))
	m.Debian.Suites = nil
	if have := has(w.must(old, Update{}, m).Lock, "hello"); have != "editor 1.1 trixie" {
		t.Errorf("without the suite: %s", have)
	}
}

func TestAHoldIsRespectedAndTold(t *testing.T) {
	w := newArchives().serve(t)
	held := map[string]machine.Package{"server": {}, "libserver": {Hold: true}, "editor": {Hold: true, Suite: "trixie-backports"}}
	old := w.must(nil, Update{}, w.stable(held)).Lock
	w = newer(w)
	const want = "editor 2.0~bpo13+1 trixie-backports, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie"
	for name, test := range map[string]struct {
		update Update
		told   []Held
	}{
		"an update": {Update{All: true}, []Held{
			{"hello", "editor", "2.0~bpo13+1", "2.1~bpo13+1", "trixie-backports"},
			{"hello", "libserver", "1.0+deb13u1", "1.0+deb13u2", "trixie-security"},
		}},
		"of security": {Update{Security: true}, []Held{{"hello", "libserver", "1.0+deb13u1", "1.0+deb13u2", "trixie-security"}}},
		"a lock":      {Update{}, nil},
	} {
		r := w.must(old, test.update, w.stable(held))
		if have := has(r.Lock, "hello"); have != want {
			t.Errorf("%s: have %s", name, have)
		}
		if !slices.Equal(r.Held, test.told) {
			t.Errorf("%s: told %+v", name, r.Held)
		}
	}
	held["server"] = machine.Package{Suite: "trixie-backports"}
	if _, err := w.resolve(old, Update{All: true}, w.stable(held)); err == nil || !strings.Contains(err.Error(), "libserver") {
		t.Errorf("a hold against a wish: %v", err)
	}
}

func TestAReplayedReleaseIsRefusedUntilItIsAccepted(t *testing.T) {
	w := newArchives().serve(t)
	old := w.must(nil, Update{}, w.stable(wants("server"))).Lock
	w.security.Date = w.security.Date.Add(-24 * time.Hour)
	w = w.archives.serve(t)
	_, err := w.resolve(old, Update{All: true}, w.stable(wants("server")))
	var older *mirror.OlderError
	if !errors.As(err, &older) || older.Archive.Suite != "trixie-security" {
		t.Errorf("have %v", err)
	}
	w.must(old, Update{All: true, Older: map[string]bool{"trixie-security": true}}, w.stable(wants("server")))
}

func TestALocalPackageIsTakenBeforeAllOthers(t *testing.T) {
	w := newArchives().serve(t)
	bytes := depends("editor", "0.1", "libserver").Bytes()
	if err := os.WriteFile(filepath.Join(w.locker.Repository, "editor.deb"), bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	local := &machine.Local{Path: "editor.deb", Version: "0.1", Architecture: "amd64", Size: int64(len(bytes)), SHA256: strings.Repeat("1", 64)}
	m := w.stable(map[string]machine.Package{"editor": {Local: local}})
	l := w.must(nil, Update{}, m).Lock
	if have := has(l, "hello"); have != "editor 0.1 editor.deb, libserver 1.0+deb13u1 trixie-security" {
		t.Errorf("have %s", have)
	}
	changed := *local
	changed.SHA256 = strings.Repeat("2", 64)
	m.Packages["editor"] = machine.Package{Local: &changed}
	if _, err := Locked(m, l); err == nil || !strings.Contains(err.Error(), "editor.deb is not the file that stet.lock was made for") {
		t.Errorf("have %v", err)
	}
	m.Packages["editor"] = machine.Package{}
	if have := has(w.must(l, Update{}, m).Lock, "hello"); have != "editor 1.0 trixie" {
		t.Errorf("without the file: %s", have)
	}
}

// Machines of one repository may stand on different suites, and still get the
// same where they can.
func TestMachinesOfSeveralSuites(t *testing.T) {
	w := newArchives().serve(t)
	stable, fresh := w.stable(wants("editor", "server")), w.stable(wants("editor/sid"))
	fresh.Name = "fresh"
	l := w.must(nil, Update{}, stable, fresh).Lock
	if a, b := has(l, "hello"), has(l, "fresh"); a != "editor 1.0 trixie, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie" || b != "editor 3.0 sid" {
		t.Errorf("have %s; %s", a, b)
	}
	w = newer(w)
	stable, fresh = w.stable(wants("editor", "server")), w.stable(wants("editor/sid", "server"))
	fresh.Name = "fresh"
	l = w.must(l, Update{}, stable, fresh).Lock
	if a, b := has(l, "hello"), has(l, "fresh"); a != "editor 1.0 trixie, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie" || b != "editor 3.0 sid, libserver 1.0+deb13u1 trixie-security, server 1.0 trixie" {
		t.Errorf("then %s; %s", a, b)
	}
	other := fresh.Repositories["example"]
	other.URL += "2"
	fresh.Repositories = map[string]machine.Repository{"example": other}
	var two *RepositoryError
	if _, err := w.resolve(l, Update{}, stable, fresh); !errors.As(err, &two) {
		t.Errorf("have %v", err)
	}
}

// snapshots serves the past as Debian's snapshot service does.
func (a *archives) snapshots(t *testing.T) string {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for at, files := range a.past {
			name, ok := strings.CutPrefix(r.URL.Path, "/archive/"+at+"/")
			if data, found := files[name]; ok && found {
				_, _ = w.Write(data)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(service.Close)
	return service.URL
}

// remember puts the archives as they are now into the snapshot service.
func (a *archives) remember(at time.Time) {
	if a.past == nil {
		a.past = map[string]map[string][]byte{}
	}
	day := at.Format("20060102T150405Z")
	for _, archive := range []*mirrortest.Archive{a.trixie, a.updates, a.security, a.backports, a.sid} {
		name := archive.Name + "/" + day
		if a.past[name] == nil {
			a.past[name] = map[string][]byte{}
		}
		date := archive.Date
		archive.Date = at.Add(-3 * time.Hour)
		maps.Copy(a.past[name], archive.Files())
		archive.Date = date
	}
}

func TestASnapshotIsDebianAsItWas(t *testing.T) {
	a := newArchives()
	first, second := now.Add(-10*24*time.Hour), now.Add(-5*24*time.Hour)
	old := mirrortest.NewKey("made early", now.Add(-30*24*time.Hour), 0)
	for _, archive := range []*mirrortest.Archive{a.trixie, a.updates, a.security, a.backports, a.sid} {
		archive.Key = old
	}
	a.remember(first)
	a.trixie.Add(deb("editor", "1.1"))
	a.remember(second)
	a.trixie.Add(deb("editor", "1.2"))
	w := a.serve(t)
	at := func(name string, moment time.Time) *machine.Machine {
		m := w.stable(wants("editor"))
		m.Name = name
		if !moment.IsZero() {
			m.Debian.Snapshot = moment.Format(time.RFC3339)
		}
		return m
	}
	l := w.must(nil, Update{}, at("hello", first)).Lock
	trixie, _ := l.Archive("trixie")
	if have := has(l, "hello"); have != "editor 1.0 trixie" || !trixie.Snapshot.Equal(first) {
		t.Errorf("have %s, %+v", have, trixie)
	}
	// Another date in the configuration is another state, forward and back.
	l = w.must(l, Update{}, at("hello", second)).Lock
	if have := has(l, "hello"); have != "editor 1.1 trixie" {
		t.Errorf("later: %s", have)
	}
	l = w.must(l, Update{}, at("hello", first)).Lock
	if have := has(l, "hello"); have != "editor 1.0 trixie" {
		t.Errorf("back: %s", have)
	}
	l = w.must(l, Update{}, at("hello", time.Time{})).Lock
	if have := has(l, "hello"); have != "editor 1.2 trixie" {
		t.Errorf("now: %s", have)
	}
	l = w.must(l, Update{}, at("hello", time.Time{}), at("before", first)).Lock
	if have := has(l, "hello") + "; " + has(l, "before"); have != "editor 1.2 trixie; editor 1.0 trixie."+first.Format("20060102T150405Z") {
		t.Errorf("both: %s", have)
	}
	var future *FutureSnapshotError
	if _, err := w.resolve(nil, Update{}, at("hello", now.Add(time.Hour))); !errors.As(err, &future) {
		t.Errorf("have %v", err)
	}
}
