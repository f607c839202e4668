package past

import (
	"fmt"
	"testing"

	"stet/internal/census"
	"stet/internal/store"
	"stet/internal/system/systemtest"
)

// status is dpkg's database with packages, NAME:ARCHITECTURE=VERSION.
func status(packages ...[3]string) (text string) {
	for _, p := range packages {
		text += fmt.Sprintf("Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n\n", p[0], p[1], p[2])
	}
	return text
}

func TestHowAThingWas(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old := systemtest.System{
		CommandLine: "quiet rw",
		Usr: map[string]string{
			census.StatusFile:                       status([3]string{"libc6", "amd64", "2.41-1"}, [3]string{"libc6", "i386", "2.41-1"}, [3]string{"curl", "amd64", "8.14-1"}),
			"/lib/systemd/system/web.service":       "[Service]\nExecStart=/usr/sbin/web\n",
			"/lib/systemd/system/net@.service":      "[Service]\n",
			"/lib/sysctl.d/10-a.conf":               "net.ipv4.ip_forward = 0\nvm.swappiness=60\n",
			"/lib/stet/files/srv/www/index.html":    "hello",
			"/lib/stet/var/lib/dpkg/available":      "",
			"/bin/same":                             "same",
			"/lib/systemd/system/web.service.d/a.c": "",
		},
		Etc: map[string]string{"/motd": "old\n", "/web/a": "a", "/passwd": "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n", "/group": "sudo:x:27:ada\n"},
	}
	new := systemtest.System{
		CommandLine: "rw",
		Usr: map[string]string{
			census.StatusFile:                     status([3]string{"libc6", "amd64", "2.41-2"}, [3]string{"libc6", "i386", "2.41-1"}),
			"/lib/systemd/system/web.service":     "[Service]\nExecStart=/usr/sbin/web\n",
			"/lib/systemd/system/net@.service":    "[Service]\nUser=net\n",
			"/lib/sysctl.d/10-a.conf":             "vm.swappiness=60\n",
			"/lib/stet/files/srv/www/index.html":  "hello",
			"/lib/stet/var/lib/dpkg/available":    "",
			"/bin/same":                           "same",
			"/lib/systemd/system/other.service.d": "",
		},
		Etc: map[string]string{
			"/motd": "new\n", "/web/a": "a", "/web/b": "b", "/sysctl.d/99.conf": "net.ipv4.ip_forward=1\n", "/systemd/system/multi-user.target.wants/web.service": "",
			"/passwd": "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/bash\n", "/group": "sudo:x:27:ada\nwww:x:33:\n",
		},
	}
	a, b := systemtest.Put(t, s, old), systemtest.Put(t, s, new)
	const same, other, came, gone, never = "same", "other", "came", "gone", "never"
	r := NewReader(s)
	for _, c := range []struct {
		kind             Kind
		name, want       string
		valueA, valueNew string
	}{
		{File, "/etc/motd", other, "", ""},
		{File, "/etc/web", other, "", ""}, // a directory, with all that is in it
		{File, "/etc/web/a", same, "", ""},
		{File, "/etc/web/b", came, "", ""},
		{File, "/bin/same", same, "", ""},
		{File, "/usr/bin/same", same, "", ""},
		{File, "/srv/www/index.html", same, "", ""},
		{File, "/var/lib/dpkg/available", same, "", ""},
		{File, "/etc/no", never, "", ""},
		{Unit, "web.service", other, "", ""}, // it is enabled
		{Unit, "net@eth0.service", other, "", ""},
		{Unit, "no.service", never, "", ""},
		{User, "ada", other, "", ""},
		{User, "root", same, "", ""},
		{User, "ad", never, "", ""},
		{Group, "www", came, "", ""},
		{Package, "libc6", other, "2.41-1", "2.41-1, 2.41-2"},
		{Package, "libc6:i386", same, "2.41-1", "2.41-1"},
		{Package, "curl", gone, "8.14-1", ""},
		{Variable, "net.ipv4.ip_forward", other, "0", "1"},
		{Variable, "vm.swappiness", same, "60", "60"},
		{Variable, "vm.no", never, "", ""},
		{Parameter, "quiet", gone, "", ""},
		{Parameter, "rw", same, "", ""},
	} {
		was, err := r.Look(a, Thing{c.kind, c.name})
		if err != nil {
			t.Fatal(err)
		}
		is, err := r.Look(b, Thing{c.kind, c.name})
		if err != nil {
			t.Fatal(err)
		}
		have := never
		switch {
		case was.Has() && is == was:
			have = same
		case was.Has() && is.Has():
			have = other
		case was.Has():
			have = gone
		case is.Has():
			have = came
		}
		if have != c.want || was.Value != c.valueA || is.Value != c.valueNew {
			t.Errorf("%s %s: %s, %q and then %q; want %s, %q and %q", c.kind, c.name, have, was.Value, is.Value, c.want, c.valueA, c.valueNew)
		}
	}
	if _, err := r.Look(a, Thing{"colour", "red"}); err == nil {
		t.Error("a kind that is none is looked for")
	}
	if _, err := r.Look("0000", Thing{File, "/etc/motd"}); err == nil {
		t.Error("a system that is gone is looked at")
	}
}
