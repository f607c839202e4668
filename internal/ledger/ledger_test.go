package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said is an entry in short.
func said(e Entry) string {
	words := []string{e.Path, string(e.Standing), e.Whose()}
	if e.Generation != 0 {
		words = append(words, "generation "+string(rune('0'+e.Generation)))
	}
	return strings.Join(words, ": ")
}

func TestWhoseAPathIs(t *testing.T) {
	l := ledgerOf(t, with(map[string]string{
		list("mariadb-server"):          "/.\n",
		"/etc/tmpfiles.d/own.conf":      "d /srv/own\n",
		"/usr/lib/tmpfiles.d/dbus.conf": "d /var/lib/dbus\n",
		"/etc/tmpfiles.d/dbus.conf":     "-> /dev/null",
	}))
	for name, want := range map[string]string{
		"/var/lib/nginx":               "/var/lib/nginx: owned: nginx-common",
		"/var/lib/nginx/body/0001":     "/var/lib/nginx: owned: nginx-common",
		"/var/log/syslog":              "/var/log/syslog: owned: rsyslog",
		"/var/log/syslog.2.gz":         "/var/log/syslog.2.gz: owned: rsyslog",
		"/var/log/mail log":            "/var/log/mail log: owned: rsyslog",
		"/var/log/cron-1.log-20261126": "/var/log/cron-1.log-20261126: owned: rsyslog",
		"/var/log/none":                "/var/log/none: unknown: nobody",
		"/var/cache/nginx":             "/var/cache/nginx: owned: nginx-common", // its postrm removes it
		"/var/lib/systemd/coredump/x":  "/var/lib/systemd: owned: systemd",
		"/var/lib/systemd/rfkill":      "/var/lib/systemd: owned: systemd",
		"/var/tmp/systemd-private-1-x": "/var/tmp/systemd-private-1-x: owned: systemd",
		"/var/lib/hello":               "/var/lib/hello: owned: hello.service",
		"/var/lib/private/hello/x":     "/var/lib/private/hello: owned: hello.service",
		"/var/cache/web":               "/var/cache/web: owned: nginx.service",
		"/var/cache/a-cache":           "/var/cache/a-cache: owned: nginx.service",
		"/var/lib/capsules/one/x":      "/var/lib/capsules/one: owned: template@.service",
		"/var/lib/b":                   "/var/lib/b: owned: template@.service",
		"/var/lib/mysql/db/t":          "/var/lib/mysql: owned: mariadb-server",
		"/var/lib/postgresql/17":       "/var/lib/postgresql: unknown: nobody", // it is not installed
		"/home/ada/.bashrc":            "/home/ada: owned: user ada",
		"/root/.ssh":                   "/root: owned: user root",
		"/home/eve":                    "/home/eve: unknown: nobody",
		"/var/spool/news":              "/var/spool/news: owned: user news",
		"/srv/www/index.html":          "/srv/www: owned: the configuration",
		"/srv/own/x":                   "/srv/own: owned: the configuration",
		"/srv/other":                   "/srv/other: unknown: nobody",
		"/var/lib/shells.state":        "/var/lib/shells.state: owned: the system",
		"/var/lib/stet/service/x.made": "/var/lib/stet: owned: stet",
		"/var/lib/dbus/machine-id":     "/var/lib/dbus: unknown: nobody", // the line is masked
		"/usr/local/bin/tool":          "/usr/local/bin/tool: unknown: nobody",
		"/usr/local/lib/python3.13/x":  "/usr/local/lib/python3.13: unknown: nobody",
		"/var/lib/old-service/data":    "/var/lib/old-service: unknown: nobody",
		"/var/lib/dpkg/info":           "/var/lib/dpkg: owned: nginx-common", // nobody else says anything of it here
		"/var/lib":                     "",
		"/var/run/x":                   "",
		"/usr/local":                   "",
		"/usr/bin/true":                "",
		"/etc/passwd":                  "",
		"relative":                     "",
		"/var/lib/../lib/nginx":        "",
	} {
		have := ""
		if e, ok := l.Find(name); ok {
			have = said(e)
		}
		if have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
}

func TestWhatHasLostItsOwner(t *testing.T) {
	old := with(map[string]string{
		list("old-service"):                   "/usr/lib/systemd/system/old.service\n/var/lib/old-service\n/var/lib/systemd/old\n",
		postrm("old-service"):                 "rm -rf /var/log/old-service /var/lib/nginx\n",
		list("moved"):                         "/var/lib/moved\n",
		"/etc/passwd":                         base["/etc/passwd"] + "bob:x:1005:1005::/home/bob:/bin/sh\nintruder:x:1001:1001::/home/intruder:/bin/sh\n",
		"/srv/data/":                          "",
		"/var/lib/made-by-script":             "x",
		"/usr/lib/systemd/system/old.service": "[Service]\nCacheDirectory=old\n",
	})
	l := ledgerOf(t, with(map[string]string{list("moved"): "/usr/bin/moved\n"}), base, old)
	for name, want := range map[string]string{
		"/var/lib/old-service":    "/var/lib/old-service: orphan: old-service: generation 8",
		"/var/log/old-service":    "/var/log/old-service: orphan: old-service: generation 8",
		"/var/cache/old/x":        "/var/cache/old: orphan: old-service: generation 8",
		"/var/lib/systemd/old":    "/var/lib/systemd/old: orphan: old-service: generation 8",
		"/home/bob":               "/home/bob: orphan: user bob: generation 8",
		"/srv/data":               "/srv/data: orphan: the configuration: generation 8",
		"/var/lib/made-by-script": "/var/lib/made-by-script: orphan: the system: generation 8",
		// Its package, or account, is still there.
		"/var/lib/moved": "/var/lib/moved: owned: moved: generation 8",
		"/home/intruder": "/home/intruder: owned: user intruder: generation 8",
		"/var/lib/nginx": "/var/lib/nginx: owned: nginx-common",
		"/var/lib/never": "/var/lib/never: unknown: nobody",
		"/var/lib/hello": "/var/lib/hello: owned: hello.service",
		"/home/ada/x":    "/home/ada: owned: user ada",
	} {
		e, _ := l.Find(name)
		if have := said(e); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
}

// TestWhatStartsNextKeepsItsState holds that a machine which fell back does not take
// the state of what it fell back from for left behind.
func TestWhatStartsNextKeepsItsState(t *testing.T) {
	l := ledgerOf(t, base, with(map[string]string{list("new-service"): "/var/lib/new-service\n"}))
	l.others[0].Later = true
	if e, _ := l.Find("/var/lib/new-service"); said(e) != "/var/lib/new-service: owned: new-service: generation 9" {
		t.Error(said(e))
	}
}

func TestAWalkIsDivided(t *testing.T) {
	l := ledgerOf(t, base)
	for name, want := range map[string]bool{
		"/var": false, "/var/lib": false, "/var/lib/nginx": true, "/var/lib/nginx/body": false, "/var/lib/loose": true,
		"/var/lib/systemd": true, "/var/lib/systemd/coredump": false, "/home": false, "/home/ada": true, "/home/ada/.cache": false,
		"/root": true, "/root/.ssh": false, "/usr/local": false, "/usr/local/bin": false, "/usr/local/bin/tool": true, "/var/run": false, "/var/lock": false,
		"/srv": false, "/srv/www": true, "/srv/www/index.html": false, "/var/log/private": false, "/var/log/private/x": true,
	} {
		if have := l.Apart(name); have != want {
			t.Errorf("%s: %v, want %v", name, have, want)
		}
	}
}

func TestEntriesSayWhatWasSeen(t *testing.T) {
	l := ledgerOf(t, base)
	when := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	have := l.Entries([]Seen{
		{Path: "/var/lib/nginx", Bytes: 1 << 20, Files: 3, Latest: when},
		{Path: "/home/eve", UID: 4711},
		{Path: "/srv/tool", UID: 1000, Part: true},
		{Path: "/var/lib/nginx/disk", Mount: true},
		{Path: "/home", Mount: true},
		{Path: "/var/run"},
	})
	want := []Entry{
		{Path: "/home", Standing: Unknown, Writer: "root", Mount: true},
		{Path: "/home/eve", Standing: Unknown, Writer: "uid 4711"},
		{Path: "/srv/tool", Standing: Unknown, Writer: "ada", Part: true},
		{Path: "/var/lib/nginx", Standing: Owned, Owners: []Owner{{Kind: Package, Name: "nginx-common"}}, Bytes: 1 << 20, Files: 3, LastUse: when},
		{Path: "/var/lib/nginx/disk", Standing: Owned, Owners: []Owner{{Kind: Package, Name: "nginx-common"}}, Mount: true},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestWhatMayGoIsChosen(t *testing.T) {
	owner := []Owner{{Kind: Package, Name: "x"}}
	entries := []Entry{
		{Path: "/home/eve", Standing: Unknown, Bytes: 1},
		{Path: "/srv/a", Standing: Orphan, Owners: owner, Bytes: 2},
		{Path: "/srv/a-b", Standing: Orphan, Owners: owner, Bytes: 4},
		{Path: "/srv/a/in", Standing: Orphan, Owners: owner, Bytes: 8, Files: 1},
		{Path: "/srv/keeps", Standing: Orphan, Owners: owner},
		{Path: "/srv/keeps/owned", Standing: Owned, Owners: owner},
		{Path: "/srv/mounts", Standing: Orphan, Owners: owner},
		{Path: "/srv/mounts/disk", Standing: Orphan, Mount: true},
		{Path: "/var/lib/owned", Standing: Owned, Owners: owner},
	}
	for name, c := range map[string]struct {
		names   []string
		want    []string
		refused []string
	}{
		"all that lost its owner":      {nil, []string{"/srv/a", "/srv/a-b"}, []string{"/srv/keeps", "/srv/mounts", "/srv/mounts/disk"}},
		"by its name":                  {[]string{"/srv/a"}, []string{"/srv/a"}, nil},
		"by its name, with a slash":    {[]string{"/srv/a/"}, []string{"/srv/a"}, nil},
		"only a part":                  {[]string{"/srv/a/in"}, []string{"/srv/a/in"}, nil},
		"what nobody declared":         {[]string{"/home/eve"}, []string{"/home/eve"}, nil},
		"twice":                        {[]string{"/home/eve", "/home", "/home/eve"}, []string{"/home/eve"}, nil},
		"what has an owner":            {[]string{"/var/lib/owned"}, nil, []string{"/var/lib/owned"}},
		"what is no part":              {[]string{"/var/lib/none"}, nil, []string{"/var/lib/none"}},
		"all below, but for the owned": {[]string{"/var/lib", "/home"}, []string{"/home/eve"}, []string{"/var/lib"}},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, refused := Choose(entries, c.names)
			var have, not []string
			for _, e := range chosen {
				have = append(have, e.Path)
				if e.Path == "/srv/a" && (e.Bytes != 10 || e.Files != 1) {
					t.Errorf("it is said to have %d bytes in %d files", e.Bytes, e.Files)
				}
			}
			for _, r := range refused {
				not = append(not, r.Path)
			}
			if !slices.Equal(have, c.want) || !slices.Equal(not, c.refused) {
				t.Errorf("chosen %q, refused %q", have, not)
			}
		})
	}
}

func TestSystemsWithCommonFilesAreReadOnce(t *testing.T) {
	w := newWorld()
	r := w.reader(t)
	trees := w.system(t, base)
	if _, err := r.Read(trees); err != nil {
		t.Fatal(err)
	}
	before := w.reads
	if _, err := r.Read(trees); err != nil {
		t.Fatal(err)
	}
	if w.reads != before || before == 0 {
		t.Errorf("%d reads, and %d more", before, w.reads-before)
	}
	trees["usr"] = "missing"
	if _, err := r.Read(trees); err == nil {
		t.Error("a missing tree has owners")
	}
}

func TestPlacesAndNames(t *testing.T) {
	for name, place := range map[string]string{
		"/usr/local": "var/usrlocal", "/usr/local/bin/x": "var/usrlocal/bin/x", "/var/lib": "var/lib", "/home": "home", "/root/x": "root/x",
		"/usr/localx": "", "/variable": "", "/etc": "", "/": "", "var": "", "/var/../etc": "", "/var/": "",
	} {
		have, ok := Place(name)
		if have != place || ok != (place != "") {
			t.Errorf("%s lies at %q, %v", name, have, ok)
		}
		if ok && Name(have) != name {
			t.Errorf("%s is called %s", name, Name(have))
		}
	}
}
