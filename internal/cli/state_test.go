package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/generation"
	"stet/internal/ledger"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system/systemtest"
	"stet/internal/term"
)

// stateful is a machine that had a service until its second generation.
type stateful struct {
	installed
	t *testing.T
}

func newStateful(t *testing.T) stateful {
	t.Helper()
	m := stateful{installed{root: t.TempDir(), store: t.TempDir()}, t}
	s, err := store.Open(m.store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n"
	const database = "/lib/sysimage/dpkg/info/"
	const status = "Package: nginx-common\nStatus: install ok installed\nVersion: 1.26\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\nPriority: optional\n"
	new := systemtest.Put(t, s, systemtest.System{Usr: map[string]string{"/lib/sysimage/dpkg/status": status, database + "nginx-common.list": "/var/lib/nginx\n"}, Etc: map[string]string{"/passwd": passwd}})
	old := systemtest.Put(t, s, systemtest.System{
		Usr: map[string]string{
			"/lib/sysimage/dpkg/status": status, database + "nginx-common.list": "/var/lib/nginx\n", database + "old-service.list": "/usr/lib/systemd/system/old.service\n",
			"/lib/systemd/system/old.service": "[Service]\nStateDirectory=old-service\nCacheDirectory=old-service\n",
		},
		Etc: map[string]string{"/passwd": passwd},
	})
	for n, digest := range []string{old, new} {
		r := generation.Record{Number: n + 1, System: digest, Date: time.Date(2026, 11, 25, 20, n, 0, 0, time.UTC), Origin: generation.Boot}
		if err := m.generations().Add(r); err != nil {
			t.Fatal(err)
		}
	}
	record := state.Boot{Machine: "hello", System: new}.Bytes()
	m.file(t, state.BootFile, string(record))
	m.file(t, "/etc/passwd", passwd)
	m.process(1)
	for _, name := range []string{"var/lib/nginx/body", "var/lib/old-service/data", "var/cache/old-service/data", "var/usrlocal/bin/tool", "home/ada/mine", "srv/found/x"} {
		m.put(name, name)
	}
	return m
}

// process adds one that has files open.
func (m stateful) process(pid int, open ...string) {
	m.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	m.file(m.t, dir+"cgroup", "0::/init.scope\n")
	m.file(m.t, dir+"maps", "")
	m.file(m.t, dir+"comm", "old-daemon\n")
	m.file(m.t, dir+"mountinfo", "21 1 0:20 / / rw - tmpfs tmpfs rw\n")
	for name, target := range map[string]string{"ns/mnt": "mnt:[1]"} {
		must(m.t, os.MkdirAll(filepath.Dir(m.at(dir+name)), 0o755))
		must(m.t, os.Symlink(target, m.at(dir+name)))
	}
	must(m.t, os.MkdirAll(m.at(dir+"fd"), 0o755))
	for n, name := range open {
		must(m.t, os.Symlink(name, m.at(fmt.Sprintf("%sfd/%d", dir, n))))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m stateful) put(name, text string) {
	m.t.Helper()
	at := filepath.Join(m.store, "state", name)
	must(m.t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(m.t, os.WriteFile(at, []byte(text), 0o644))
}

func (m stateful) has(name string) bool {
	_, err := os.Lstat(filepath.Join(m.store, "state", name))
	return err == nil
}

// run gives what a command printed, for people and programs, and how it ended.
func (m stateful) run(args ...string) (out string, code int) {
	m.t.Helper()
	var said bytes.Buffer
	code = Run(m.t.Context(), Environment{
		Stdin: strings.NewReader("y\n"), Stdout: &said, Stderr: &said, Dir: m.root, Root: m.root,
		Getenv: func(name string) string { return map[string]string{"STET_STORE": m.store}[name] },
		Now:    func() time.Time { return time.Date(2026, 11, 26, 10, 45, 0, 0, time.UTC) },
	}, args)
	return said.String(), code
}

// standings are those of all parts.
func (m stateful) standings() map[string]string {
	m.t.Helper()
	out, code := m.run("state", "--json")
	if code != 0 {
		m.t.Fatal(out)
	}
	var report stateReport
	must(m.t, json.Unmarshal([]byte(out), &report))
	all := map[string]string{}
	for _, e := range report.Entries {
		all[e.Path] = string(e.Standing) + ", " + ownership(e)
	}
	return all
}

func TestStateNamesWhatHasLostItsOwner(t *testing.T) {
	m := newStateful(t)
	want := map[string]string{
		"/home/ada": "owned, user ada", "/srv/found": "unknown, written by root", "/usr/local/bin/tool": "unknown, written by root",
		"/var/cache/old-service": "orphan, old-service, in generation 1", "/var/lib/nginx": "owned, nginx-common",
		"/var/lib/old-service": "orphan, old-service, in generation 1",
	}
	if diff := cmp.Diff(want, m.standings()); diff != "" {
		t.Error(diff)
	}
	out, code := m.run("state", "/var/lib/old-service/data", "/home")
	if code != 0 || !strings.Contains(out, "hello has ") || !strings.Contains(out, "in 2 places\n\nhas lost its owner\n  /var/lib/old-service  ") || !strings.Contains(out, "\nhas its owner\n  /home/ada  ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := m.run("state", "/etc/passwd"); code != ExitInput || !strings.Contains(out, "/etc/passwd is no state of this machine") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestWhySaysWhoseStateIs(t *testing.T) {
	m := newStateful(t)
	m.put("var/cache/nginx/x", "x")
	for name, want := range map[string]string{
		"/var/lib/old-service/data/": "/var/lib/old-service/data is in /var/lib/old-service, which is state of old-service, which generation 1 had last\n`stet state clean /var/lib/old-service` archives and removes it\n",
		"/home/ada":                  "/home/ada is state of user ada: /etc/passwd says so\n",
		"/usr/local/bin/tool":        "/usr/local/bin/tool is state that nobody ever declared, written by root\n",
		"/var/lib/nginx/body":        "/var/lib/nginx/body is of package nginx-common\nwhich is optional\nbase, by default\n/var/lib/nginx/body is in /var/lib/nginx, which is state of nginx-common\n",
		"/var/lib":                   "has nothing that is called /var/lib",
		"/var/lib/none":              "has nothing that is called /var/lib/none",
	} {
		out, _ := m.run("why", name)
		if !strings.Contains(out, want) {
			t.Errorf("%s: have\n%s\nwant\n%s", name, out, want)
		}
	}
}

func TestStateIsCleanedAndComesBack(t *testing.T) {
	m := newStateful(t)
	out, code := m.run("state", "clean")
	if code != ExitDiffers || !strings.Contains(out, "  /var/lib/old-service  ") || !strings.Contains(out, "nobody can be asked") || !m.has("var/lib/old-service/data") {
		t.Errorf("without a terminal: exit code %d\n%s", code, out)
	}
	for _, name := range []string{"/var/lib/nginx", "/var/lib/none", "/etc"} {
		if out, code := m.run("state", "clean", "--yes", name); code != ExitInput || !m.has("var/lib/nginx/body") {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
	}

	m.process(7, "/var/cache/old-service/data")
	if out, code = m.run("state", "clean", "--yes"); code != ExitDiffers || !strings.Contains(out, "left: /var/cache/old-service: process 7 (old-daemon) has /var/cache/old-service/data") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for name, there := range map[string]bool{"var/lib/old-service": false, "var/cache/old-service/data": true, "var/usrlocal/bin/tool": true, "srv/found/x": true, "var/lib/nginx/body": true} {
		if m.has(name) != there {
			t.Errorf("%s is there: %v", name, !there)
		}
	}
	if out, code := m.run("state", "clean", "--yes", "/usr/local"); code != 0 || m.has("var/usrlocal/bin/tool") {
		t.Errorf("what nobody declared, by its name: exit code %d\n%s", code, out)
	}

	out, code = m.run("state", "--saved")
	if code != 0 || !strings.Contains(out, "/var/lib/old-service  ") || !strings.Contains(out, "/usr/local/bin/tool   ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	archived := filepath.Join(m.store, "state/saved/archives/20261126T104500Z-var-lib-old-service.tar.gz")
	if out, code := m.run("state", "restore", filepath.Base(archived)); code != 0 || !m.has("var/lib/old-service/data") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := m.run("state", "restore", archived); code != ExitFailed || !strings.Contains(out, "/var/lib/old-service is there already") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := m.run("state", "restore", "none.tar.gz"); code != ExitInput {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestStateIsReadable(t *testing.T) {
	when := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	report := &stateReport{Machine: "web", Bytes: 12_300_000, Entries: []ledger.Entry{
		{Path: "/home/ada", Standing: ledger.Owned, Owners: []ledger.Owner{{Kind: ledger.User, Name: "ada"}}, Bytes: 4096, LastUse: when},
		{Path: "/srv/disk", Standing: ledger.Unknown, Writer: "root", Mount: true},
		{Path: "/usr/local/bin/tool\x1b[2J", Standing: ledger.Unknown, Writer: "uid 4711", Bytes: 300_000, LastUse: when, Part: true},
		{Path: "/var/lib/old-service", Standing: ledger.Orphan, Owners: []ledger.Owner{{Kind: ledger.Package, Name: "old-service"}}, Generation: 3, Bytes: 12_000_000, LastUse: when},
	}}
	var out bytes.Buffer
	(planPage{out: &out, screen: term.New(&out, os.Getenv)}).state(report)
	const file = "testdata/state.txt"
	if *update {
		must(t, os.WriteFile(file, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if out.String() != string(want) {
		t.Errorf("have\n%s\nwant\n%s", out.String(), want)
	}
}
