package ledger

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestTmpfilesLines(t *testing.T) {
	for line, want := range map[string]string{
		"d /var/lib/x 0755 root root -":        "/var/lib/x",
		"d":                                    "",
		"":                                     "",
		"# d /var/lib/x":                       "",
		"  D!\t/var/lib/x":                     "/var/lib/x",
		"f^ /root/.ssh/k :0600 root :root - c": "/root/.ssh/k",
		"L+ /var/lib/dbus/machine-id - - - - /etc/machine-id": "/var/lib/dbus/machine-id",
		"C /var/lib/x/ - - - - /usr/share/x":                  "/var/lib/x",
		"q %S/a":                                              "/var/lib/a",
		"v %C/a":                                              "/var/cache/a",
		"e %L/a%%b":                                           "/var/log/a%b",
		"d /var/log/journal/%m":                               "/var/log/journal/*",
		"R! /var/tmp/private-*":                               "/var/tmp/private-*",
		"z /var/log/journal 2755":                             "", // made by somebody else
		"a+ /var/log/journal - - - -":                         "",
		"w /sys/x - - - - 1":                                  "",
		`d "/var/lib/with space" 0755`:                        "/var/lib/with space",
		`d '/var/lib/"x"'`:                                    `/var/lib/"x"`,
		`d /var/lib/a\x20b`:                                   "/var/lib/a b",
		`d /var/lib/a\ b`:                                     "/var/lib/a b",
		`d /var/lib/x%`:                                       "/var/lib/x%",
		"d relative":                                          "",
		"d /var/lib/../../etc":                                "/etc",
	} {
		have := strings.Join(tmpfiles(line), " | ")
		if have != want {
			t.Errorf("%q: %q, want %q", line, have, want)
		}
	}
}

// FuzzTmpfiles reads the files of others, also as logrotate does.
func FuzzTmpfiles(f *testing.F) {
	for _, line := range []string{"d /var/lib/x 0755 root root -\n", "R! \"/var/%m\\x2a\" - -\nL+ '/a", "d /%", "d \\", "d /var/lib/[\n"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := newDeclared()
		for _, name := range tmpfiles(text) {
			if !path.IsAbs(name) || path.Clean(name) != name {
				t.Errorf("%q is no clean path", name)
			}
			d.claim(name, ships, Owner{Kind: Package, Name: "x"})
		}
		d.claimParents()
		for _, name := range rotated(text) {
			d.claim(name, ships, Owner{Kind: Package, Name: "x"})
		}
		for name := range d.claims {
			if _, ok := Place(name); !ok {
				t.Errorf("%q is owned, and is no state", name)
			}
			if len(d.at(name)) == 0 {
				t.Errorf("%q is claimed by nobody", name)
			}
		}
		d.at("/var/lib/x/y")
	})
}

func TestScriptsNamePaths(t *testing.T) {
	const script = `#!/bin/sh
rm -rf /var/lib/foo /var/log/foo.log "/var/cache/foo/" /var/lib/foo.*
chown x: /usr/share/var/lib/none $ROOT/var/lib/none ${DESTDIR}/var/lib/none
find /var/lib/bar/$name -delete; ls /srv/bar-*
install -d /usr/local/share/foo/deep /opt/foo /home/foo # see /var/lib/foo.
cd /var/lib; test -e /etc/foo
`
	want := []string{"/var/lib/foo", "/var/log/foo.log", "/var/cache/foo", "/var/lib/bar", "/usr/local/share/foo/deep", "/opt/foo", "/home/foo"}
	if have := mentioned(script); !slices.Equal(have, want) {
		t.Errorf("have %q\nwant %q", have, want)
	}
}
