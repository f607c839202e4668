package mirror_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"stet/internal/mirror"
)

func TestPlacesAreAskedInOrder(t *testing.T) {
	host := fstest.MapFS{
		"etc/apt/sources.list": {Data: []byte("# deb http://comment.test/debian x main\n" +
			"deb http://list.test/debian/ bookworm main # trailing\n" +
			"deb-src http://source.test/debian bookworm main\n" +
			"deb [arch=amd64 signed-by=/x.gpg] https://options.test/debian bookworm main\n" +
			"deb cdrom:[Debian]/ bookworm main\n")},
		"etc/apt/sources.list.d/b.sources": {Data: []byte("Types: deb deb-src\nURIs: http://one.test/debian\n http://flag.test/debian\nSuites: trixie\n# comment\nComponents: main\n\n" +
			"Enabled: no\nTypes: deb\nURIs: http://disabled.test/debian\nSuites: x\n\nTypes: deb-src\nURIs: http://source.test/debian\nSuites: x\n")},
		"etc/apt/sources.list.d/a.list":     {Data: []byte("deb\tfile:/srv/mirror\ttrixie main\n")},
		"etc/apt/sources.list.d/c.disabled": {Data: []byte("deb http://other.test/debian x main\n")},
	}
	c, err := mirror.New(mirror.Options{
		Cache: t.TempDir(), HTTP: nil,
		Sources: mirror.Sources{
			Flag: []string{"http://flag.test/debian"}, Environment: " http://env.test/debian/  http://env2.test/debian-security ",
			Configured: []string{"https://user.test/x"}, Host: host, Snapshot: mirror.SnapshotURL,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		archive mirror.Archive
		want    string
	}{
		"main": {
			mirror.Archive{Name: "debian", Suite: "trixie"},
			"http://flag.test/debian http://env.test/debian http://env2.test/debian http://env2.test/debian-security https://user.test/x " +
				"http://list.test/debian https://options.test/debian file:///srv/mirror http://one.test/debian " +
				"https://snapshot.debian.org/archive/debian/20261123T120000Z",
		},
		"security": {
			mirror.Archive{Name: "debian-security", Suite: "trixie-security"},
			"http://flag.test/debian-security http://flag.test/debian http://env.test/debian-security http://env.test/debian http://env2.test/debian-security https://user.test/x " +
				"http://list.test/debian-security http://list.test/debian https://options.test/debian-security https://options.test/debian file:///srv/mirror http://one.test/debian-security http://one.test/debian " +
				"https://snapshot.debian.org/archive/debian-security/20261123T120000Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if have := c.Places(test.archive, now); !slices.Equal(have, strings.Fields(test.want)) {
				t.Errorf("have %q\nwant %q", have, strings.Fields(test.want))
			}
		})
	}
}

func TestAMirrorsURLIsChecked(t *testing.T) {
	for _, url := range []string{"ftp://x/debian", "debian", "http:///x", "http://x/?a=b", "file://host/x", "://"} {
		_, err := mirror.New(mirror.Options{Cache: t.TempDir(), Sources: mirror.Sources{Flag: []string{url}}})
		if err == nil || !strings.Contains(err.Error(), "--mirror") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func FuzzHostSources(f *testing.F) {
	f.Add("deb [a=b] http://x/ y z\n", "Types: deb\nURIs: http://x\n")
	f.Fuzz(func(t *testing.T, list, stanzas string) {
		host := fstest.MapFS{
			"etc/apt/sources.list":             {Data: []byte(list)},
			"etc/apt/sources.list.d/a.sources": {Data: []byte(stanzas)},
		}
		c, err := mirror.New(mirror.Options{Cache: "/nowhere", Sources: mirror.Sources{Host: host}})
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range c.Places(mirror.Archive{Name: "debian", Suite: "x"}, now) {
			if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "file:///") {
				t.Errorf("took %q", url)
			}
		}
	})
}
