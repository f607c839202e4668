package system

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/tree"
)

// status is a database with a package of every kind: of the base, wished for
// by name, by architecture, by what it provides, and come along.
const status = `Package: base-files
Essential: yes
Priority: required
Architecture: amd64
Version: 1

Package: cron
Priority: important
Architecture: all
Version: 1

Package: htop
Priority: optional
Architecture: amd64
Version: 1

Package: libc6
Architecture: amd64
Version: 1

Package: libc6
Architecture: i386
Version: 1

Package: mailer
Architecture: amd64
Version: 1
Provides: mail-transport-agent

Package: libhtop
Architecture: all
Version: 1

`

// withManager is the fixture's root with dpkg and, perhaps, apt in it.
func withManager(f *fixture, names ...string) {
	f.Helper()
	b := tree.NewBuilder(f.root)
	for name, text := range map[string]string{
		"/usr/bin/dpkg": "dpkg", "/var/lib/dpkg/status": status, "/var/cache/debconf/config.dat": "Name: x\n",
	} {
		names = append(names, name)
		put(f, b, name, text)
	}
	for _, name := range names {
		if _, ok := b.Get(name); !ok {
			put(f, b, name, name)
		}
	}
	made, err := b.Tree()
	if err != nil {
		f.Fatal(err)
	}
	f.root = made
}

func put(f *fixture, b *tree.Builder, name, text string) {
	f.Helper()
	digest, err := f.store.PutBytes([]byte(text))
	if err != nil {
		f.Fatal(err)
	}
	b.MakeParents(name, tree.Time{})
	b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: int64(len(text)), Digest: digest})
}

func TestManagerFilesComeWithTheirProgram(t *testing.T) {
	files := []string{"/usr/lib/stet/refuse", "/etc/dpkg/dpkg.cfg.d/stet", "/etc/apt/apt.conf.d/90stet", extendedStates, aptSourcesFile}
	for name, c := range map[string]struct {
		has  []string
		want []string
	}{
		"dpkg alone":   {nil, files[:2]},
		"dpkg and apt": {[]string{"/usr/bin/apt-get"}, files},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			withManager(f, c.has...)
			made := f.must(&machine.Machine{})
			for _, name := range files {
				if _, ok := made.Lookup(name); ok != slices.Contains(c.want, name) {
					t.Errorf("%s: is there: %v", name, ok)
				}
			}
			// What Stet puts there names only what Stet puts there.
			script, _ := made.Lookup("/usr/lib/stet/refuse")
			if script.Mode != 0o755 || !strings.Contains(f.at(made, "/etc/dpkg/dpkg.cfg.d/stet"), "/usr/lib/stet/refuse\n") {
				t.Error("dpkg cannot run what refuses")
			}
			f.expect(made, map[string]string{"/var/cache/debconf/passwords.dat": ""})
		})
	}
	f := newFixture(t)
	made := f.must(&machine.Machine{})
	for _, name := range files {
		if _, ok := made.Lookup(name); ok {
			t.Errorf("%s is there without dpkg", name)
		}
	}
}

func TestLocksCanBeTakenWhereNothingCanBeWritten(t *testing.T) {
	f := newFixture(t)
	withManager(f)
	trees, err := Split(&machine.Machine{Name: "m"}, f.must(&machine.Machine{}), epoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/lib/sysimage/dpkg/lock", "/lib/sysimage/dpkg/lock-frontend"} {
		if e, ok := trees.Usr.Lookup(name); !ok || e.Type != tree.FIFO || e.Mode != 0o640 {
			t.Errorf("%s is %+v", name, e)
		}
	}
}

func TestWhatWasNotWishedForIsAutomatic(t *testing.T) {
	wished := map[string]machine.Package{"htop": {}, "libc6:i386": {}, "mail-transport-agent": {}}
	for base, want := range map[string]string{
		machine.BaseStandard: "libc6:amd64 libhtop:amd64",
		machine.BaseMinimal:  "cron:amd64 libc6:amd64 libhtop:amd64",
	} {
		f := newFixture(t)
		withManager(f, "/usr/bin/apt-get")
		made := f.must(&machine.Machine{Base: base, Packages: wished, Debian: machine.Debian{Architecture: "amd64"}})
		var have []string
		for stanza := range strings.SplitSeq(strings.TrimSpace(f.at(made, extendedStates)), "\n\n") {
			lines := strings.Split(stanza, "\n")
			if len(lines) != 3 || lines[2] != "Auto-Installed: 1" {
				t.Fatalf("a stanza is %q", stanza)
			}
			have = append(have, strings.TrimPrefix(lines[0], "Package: ")+":"+strings.TrimPrefix(lines[1], "Architecture: "))
		}
		if strings.Join(have, " ") != want {
			t.Errorf("%s: %q is automatic, want %q", base, have, want)
		}
	}
}

func TestAptAsksWhereThePackagesCameFrom(t *testing.T) {
	date := time.Date(2026, 9, 12, 7, 55, 41, 0, time.UTC)
	origins := []lock.Archive{
		{ID: "security", Name: "debian-security", Suite: "trixie-security", Components: []string{"main"}, Date: date},
		{ID: "trixie", Name: "debian", Suite: "trixie", Components: []string{"contrib", "main"}, Date: date},
	}
	for name, c := range map[string]struct {
		has    []string
		mirror string
		want   [2]string // of either archive
	}{
		"by TLS, as they were": {
			[]string{caBundle, keyrings[0], keyrings[1]}, "",
			[2]string{"URIs: https://snapshot.debian.org/archive/debian-security/20260912T195541Z\nSuites: trixie-security\nComponents: main\nSigned-By: " + keyrings[0] + "\nCheck-Valid-Until: no\n", "/archive/debian/20260912T195541Z\nSuites: trixie\nComponents: contrib main\n"},
		},
		"without certificates": {
			[]string{keyrings[1]}, "",
			[2]string{"URIs: http://snapshot.debian.org/", "Signed-By: " + keyrings[1] + "\n"},
		},
		"without keys": {nil, "", [2]string{"Components: main\nCheck-Valid-Until: no\n", ""}},
		"a mirror with both": {
			nil, "https://mirror.test/pub/debian/",
			[2]string{"URIs: https://mirror.test/pub/debian-security\nSuites: trixie-security\nComponents: main\n", "URIs: https://mirror.test/pub/debian\nSuites: trixie\nComponents: contrib main\n"},
		},
		"a mirror of one": {
			nil, "file:///srv/trixie",
			[2]string{"URIs: http://snapshot.debian.org/archive/debian-security/", "URIs: file:///srv/trixie\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			withManager(f, append(c.has, "/usr/bin/apt-get")...)
			m := &machine.Machine{Name: "m", Timezone: "Etc/UTC", Locale: defaultLocale, Debian: machine.Debian{Mirror: c.mirror}}
			made, err := Compose(f.store, Input{Machine: m, Rootfs: f.root, IDs: ids, Epoch: epoch, Origins: origins})
			if err != nil {
				t.Fatal(err)
			}
			stanzas := strings.Split(f.at(made, aptSourcesFile), "\n\n")
			if len(stanzas) != 3 {
				t.Fatalf("it has %q", stanzas)
			}
			for i, want := range c.want {
				have := strings.TrimSuffix(stanzas[i+1], "\n") + "\n"
				if !strings.HasPrefix(have, "Types: deb deb-src\n") || !strings.Contains(have, want) {
					t.Errorf("have %q\nwant %q", have, want)
				}
				if strings.Contains(have, "Check-Valid-Until") != strings.Contains(have, "snapshot.debian.org") {
					t.Errorf("%q: an old date is right of a snapshot, and of nothing else", have)
				}
			}
		})
	}
}

// A repository is where its configuration says, and its keys are for it alone.
func TestAptAsksRepositoriesByTheirOwnKeys(t *testing.T) {
	f := newFixture(t)
	withManager(f, "/usr/bin/apt-get", keyrings[0])
	m := &machine.Machine{
		Name: "m", Timezone: "Etc/UTC", Locale: defaultLocale,
		Repositories: map[string]machine.Repository{
			"example": {URL: "https://example.org/debian", Suite: "stable", Components: []string{"main"}, Key: "the key\n"},
			"flat":    {URL: "https://example.org/flat", Suite: "./", Key: "another\n"},
		},
	}
	made, err := Compose(f.store, Input{Machine: m, Rootfs: f.root, IDs: ids, Epoch: epoch, Origins: []lock.Archive{
		{ID: "example", Name: "example", Repository: true, Suite: "stable", Components: []string{"main"}},
		{ID: "flat", Name: "flat", Repository: true, Suite: "./"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "\nTypes: deb\nURIs: https://example.org/debian\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/example.asc\n" +
		"\nTypes: deb\nURIs: https://example.org/flat\nSuites: ./\nSigned-By: /etc/apt/keyrings/flat.asc\n"
	if have := f.at(made, aptSourcesFile); !strings.HasSuffix(have, want) {
		t.Errorf("have %q", have)
	}
	if have := f.at(made, "/etc/apt/keyrings/example.asc"); have != "the key\n" {
		t.Errorf("the key is %q", have)
	}
}

func TestDeclaredFilesWinOverTheManagers(t *testing.T) {
	f := newFixture(t)
	withManager(f, "/usr/bin/apt-get")
	made := f.must(&machine.Machine{Files: map[string]machine.File{
		aptSourcesFile:               {Kind: machine.FileText, Text: "mine\n", Mode: 0o644, User: "root", Group: "root"},
		"/etc/apt/apt.conf.d/90stet": {Kind: machine.FileAbsent},
	}})
	f.expect(made, map[string]string{aptSourcesFile: "mine\n", "/etc/apt/apt.conf.d/90stet": "missing"})
}
