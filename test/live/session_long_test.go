//go:build long

package live_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/ledger"
	"stet/internal/mirror/mirrortest"
	"stet/internal/plan"
	"stet/internal/signature"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// site is a web server whose page and name are the same word.
const site = `
services:
  nginx: {sites: {default: {root: /srv/www, server_name: "%[1]s.example"}}}
files:
  /srv/www/index.html: {text: "%[1]s\n"}
`

const database = "packages: [postgresql]\n"

// broken is a unit that does not start.
const broken = `
units:
  broken.service:
    enable: true
    text: |
      [Service]
      Type=oneshot
      ExecStart=/usr/bin/sh -c 'echo out of order; exit 1'
      [Install]
      WantedBy=multi-user.target
`

// rebuilt gives a repository that has a library of the lock under a higher version,
// with a byte more at its end, and what to declare of it.
func rebuilt(t *testing.T, p program.Program, name string) string {
	t.Helper()
	dir := t.TempDir()
	for _, locked := range program.ReadLock(t, p.Dir).Packages {
		if locked.Name != name {
			continue
		}
		script := `dpkg-deb -R "$1" "$2/deb" && sed -i 's/^Version: .*/&+again1/' "$2/deb/DEBIAN/control" && for so in "$2"/deb/usr/lib/*/libssl.so.*; do printf x >>"$so"; done && dpkg-deb -Zgzip --root-owner-group -b "$2/deb" "$2/again.deb"`
		if out, err := exec.Command("sh", "-c", script, "sh", program.Deb(p.Store(t), locked), dir).CombinedOutput(); err != nil {
			t.Fatalf("build %s again: %v\n%s", name, err, out)
		}
	}
	a := mirrortest.New("stable", time.Now())
	if _, err := a.AddFile(filepath.Join(dir, "again.deb")); err != nil {
		t.Fatal(err)
	}
	key, err := signature.Armored(a.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Dir, "again.asc"), []byte(key), 0o644); err != nil {
		t.Fatal(err)
	}
	server := a.Serve(t)
	return fmt.Sprintf("repositories: {again: {url: %q, suite: stable, key: ./again.asc}}\n", server.URL)
}

// stick gives a disk with what `stet send` wrote, by name.
func stick(t *testing.T, sent map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, system := range sent {
		if err := os.Rename(system, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(t.TempDir(), "stick.ext4")
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", dir, disk, "4G").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return disk
}

// TestASession is docs/switching.md: a day of a machine.
func TestASession(t *testing.T) {
	stet := program.Example(t, "minimal")
	text, err := os.ReadFile(filepath.Join(stet.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	declare := func(parts ...string) {
		if err := os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), []byte(string(text)+strings.Join(parts, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		stet.Must(t, "lock")
	}
	one, two := fmt.Sprintf(site, "one"), fmt.Sprintf(site, "two")
	declare(one)
	first, disk := stet.Build(t), filepath.Join(t.TempDir(), "disk.raw")
	stet.Must(t, "image", "-o", disk)
	systems := map[string]string{}
	declare(two)
	systems["page"] = sent(t, stet)
	declare(two, database)
	systems["database"] = sent(t, stet)
	declare(two, database, broken)
	systems["broken"] = sent(t, stet)
	declare(two, database, rebuilt(t, stet, "libssl3t64"))
	stet.Must(t, "update", "libssl3t64")
	systems["library"] = sent(t, stet)

	m := guest.StartDisk(t, first, disk, func(c *vm.Config) { c.MoreDisks, c.Memory = []string{stick(t, systems)}, 3072 })
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	m.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt")
	boot := m.Run(t, "cat /proc/sys/kernel/random/boot_id")
	const page = `exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && tail -n 1 <&3`
	serves := func(want string) {
		t.Helper()
		if have := m.Run(t, "bash -c '"+strings.ReplaceAll(page, "'", `'\''`)+"'"); have != want {
			t.Errorf("the page says %q, want %q", have, want)
		}
	}
	serves("one")

	t.Log("another page, and name")
	p := switched(t, m, "page")
	if units := actions(p); !slices.Equal(units, []string{"reload nginx.service"}) {
		t.Errorf("for another page: %v", units)
	}
	serves("two")

	t.Log("a database")
	// The instance of the cluster is made by what the plan starts.
	p = switched(t, m, "database", "postgresql@17-main.service", "system-postgresql.slice")
	if units := actions(p); !slices.Contains(units, "start postgresql.service") || slices.ContainsFunc(units, func(u string) bool { return strings.HasSuffix(u, " nginx.service") }) {
		t.Errorf("for a database: %v", units)
	}
	const ask = `runuser -u postgres -- psql -qAt -c `
	m.Run(t, ask+`"create table t (word text); insert into t values ('kept')"`)
	if have := m.Run(t, "stet drift"); !strings.HasPrefix(have, "minimal differs from") || !strings.Contains(have, " in 1 place\n\nmounts\n  added /mnt: ") {
		t.Errorf("something else is drift than the stick that was mounted: %s", have)
	}

	t.Log("another build of a library")
	mapped := m.Run(t, `for p in $(grep -ls libssl /proc/[0-9]*/maps | cut -d/ -f3); do sed 's,.*/,,' /proc/$p/cgroup; done | sort -u`)
	p = switched(t, m, "library")
	for _, u := range p.Units {
		if u.Action != plan.Keep && !slices.Contains(strings.Fields(mapped), u.Name) && !strings.HasPrefix(u.Name, "postgresql") {
			t.Errorf("%s %s, which had no part of the library in memory: %+v", u.Action, u.Name, u.Reasons)
		}
	}
	for _, name := range []string{"nginx.service", "postgresql@17-main.service"} {
		if !slices.Contains(strings.Fields(mapped), name) || !slices.ContainsFunc(p.Units, func(u plan.Unit) bool { return u.Name == name && u.Action != plan.Keep }) {
			t.Errorf("%s is not restarted, or had no part of the library, as had %s", name, mapped)
		}
	}
	if out, status := m.Try(t, "stet plan --exit-code --from /mnt/library"); status != 0 {
		t.Errorf("somebody has the old library in memory:\n%s", out)
	}
	serves("two")
	if have := m.Run(t, ask+"'select word from t'"); have != "kept" {
		t.Errorf("in the table is %q", have)
	}

	t.Log("back")
	m.Run(t, "stet rollback")
	if have := m.Run(t, `dpkg-query -W -f '${Version}' libssl3t64`); strings.HasSuffix(have, "+again1") {
		t.Errorf("after going back, the library is %s", have)
	}
	t.Log("what does not start")
	before := m.Run(t, "cat /run/stet/system")
	out, status := m.Try(t, "stet switch --from /mnt/broken")
	if status != 4 || !strings.Contains(out, "out of order") || !strings.Contains(out, "the machine went back to what ran before") {
		t.Errorf("exit status %d: %s", status, out)
	}
	t.Log(out)
	t.Log("what is only tried")
	m.Run(t, "stet try --from /mnt/library --for 10s")
	m.Run(t, "for i in $(seq 120); do test $(cat /run/stet/system) = "+before+" && ! systemctl is-active -q stet-switch.service && exit; sleep 1; done; journalctl --no-pager -u 'stet-*' -n 40; exit 1")
	serves("two")
	if have := m.Run(t, ask+"'select word from t'; cat /proc/sys/kernel/random/boot_id"); have != "kept\n"+boot {
		t.Errorf("in the end there is %q, want the row, and boot %s", have, boot)
	}
	if state := m.Run(t, "systemctl is-system-running"); state != "running" {
		t.Errorf("in the end it is %s", state)
	}

	t.Log("without the database")
	cleansWhatADatabaseLeft(t, m)
	// What it keeps in /etc was let go with it, and comes back with it.
	m.Run(t, "stet switch --from /mnt/database")
	if have := m.Run(t, ask+"'select word from t'"); have != "kept" {
		t.Errorf("after its state came back there is %q", have)
	}
}

// standings are those of the parts of a machine's state, by path.
func standings(t *testing.T, m *guest.Machine) map[string]ledger.Entry {
	t.Helper()
	var report struct{ Entries []ledger.Entry }
	if err := json.Unmarshal([]byte(m.Run(t, "stet state --json 2>/dev/null")), &report); err != nil {
		t.Fatal(err)
	}
	all := map[string]ledger.Entry{}
	for _, e := range report.Entries {
		all[e.Path] = e
	}
	return all
}

// cleansWhatADatabaseLeft drops postgresql, has its state archived and removed, and
// brings all of it back.
func cleansWhatADatabaseLeft(t *testing.T, m *guest.Machine) {
	const data = "/var/lib/postgresql"
	if e := standings(t, m)[data]; e.Standing != ledger.Owned || !slices.ContainsFunc(e.Owners, func(o ledger.Owner) bool { return o.Name == "postgresql-common" }) {
		t.Errorf("while it runs: %+v", e)
	}
	if out, status := m.Try(t, "stet state clean --yes "+data); status != 2 || !strings.Contains(out, data+" stays: it is of ") {
		t.Errorf("what has its owner: exit status %d: %s", status, out)
	}
	m.Run(t, "stet switch --from /mnt/page")
	all := standings(t, m)
	for path, e := range all {
		if e.Standing != ledger.Owned {
			t.Logf("%s: %s, %s, in generation %d, %d bytes", path, e.Standing, e.Whose(), e.Generation, e.Bytes)
		}
	}
	if e := all[data]; e.Standing != ledger.Orphan || e.Generation == 0 || e.Bytes < 10<<20 {
		t.Errorf("when its package is gone: %+v", e)
	}
	if e := all["/var/lib/nginx"]; e.Standing != ledger.Owned {
		t.Errorf("what still has its package: %+v", e)
	}
	if out := m.Run(t, "stet why "+data+"/17"); !strings.Contains(out, data+"/17 is in "+data+", which is state of ") || !strings.Contains(out, " had last\n") {
		t.Errorf("why says\n%s", out)
	}
	if out, status := m.Try(t, "stet state clean </dev/null"); status != 3 || !strings.Contains(out, data) {
		t.Errorf("when nobody can be asked: exit status %d: %s", status, out)
	}
	// All that tells one file from another; how large a directory is, only its past tells.
	const every = "find " + data + " ! -type d -printf '%p %y %m %U:%G %s %n %T@ %l\\n' | sort; find " + data + " -type d -printf '%p %m %U:%G %T@\\n' | sort; find " + data + " -type f -print0 | sort -z | xargs -0 sha256sum"
	before := m.Run(t, every)
	out, status := m.Try(t, "cd "+data+" && stet state clean --yes "+data)
	if status != 3 || !strings.Contains(out, "left: "+data+": process ") {
		t.Errorf("with a shell in it: exit status %d: %s", status, out)
	}
	if have := m.Run(t, every); have != before {
		t.Errorf("what was left is another:\n%s", have)
	}
	t.Log(m.Run(t, "stet state clean --yes"))
	if have := m.Run(t, "test -e "+data+" || echo gone; stet state clean --yes 2>/dev/null"); have != "gone\nnothing has lost its owner" {
		t.Errorf("after it was cleaned: %s", have)
	}
	m.Run(t, "cd /stet/state/saved/archives && for a in *.tar.gz; do stet state restore $a || exit 1; done")
	if have := m.Run(t, every); have != before {
		t.Errorf("what came back is another:\n%s", have)
	}
}

// switched switches to a system of the stick, as planned before, and holds the
// journal against the plan. Others are units that what is started starts itself.
// While journald restarts, last of all, nothing is written down: its own jobs may be
// missing.
func switched(t *testing.T, m *guest.Machine, name string, others ...string) *plan.Plan {
	t.Helper()
	p := planned(t, m, "/mnt/"+name)
	at, begin := cursor(t, m), time.Now()
	out := m.Run(t, "stet switch --from /mnt/"+name)
	t.Logf("the switch took %.0f s\n%s", time.Since(begin).Seconds(), out)
	want, have := wanted(p), jobs(t, m, at)
	for _, job := range have {
		if !slices.Contains(want, job) && !slices.ContainsFunc(others, func(unit string) bool { return strings.Contains(job, " "+unit+" ") }) && !comesByItself(t, m, job) {
			t.Errorf("%s: the journal has %q, which the plan has not: %v", name, job, want)
		}
	}
	for _, job := range want {
		if !slices.Contains(have, job) && !strings.Contains(job, " systemd-journald.service ") {
			t.Errorf("%s: the plan has %q, and the journal has not: %v", name, job, have)
		}
	}
	return p
}

// comesByItself reports whether a timer or an automount has started a job's unit: in a
// switch that is long enough, on a slow host, one does.
func comesByItself(t *testing.T, m *guest.Machine, job string) bool {
	t.Helper()
	unit := strings.Fields(job)[1]
	starters := strings.Fields(m.Run(t, "systemctl show --property=TriggeredBy --value '"+unit+"'"))
	return slices.ContainsFunc(starters, func(u string) bool {
		return strings.HasSuffix(u, ".timer") || strings.HasSuffix(u, ".automount")
	})
}

// actions are what a plan does to units, without those that it keeps.
func actions(p *plan.Plan) []string {
	var all []string
	for _, u := range p.Units {
		if u.Action != plan.Keep {
			all = append(all, string(u.Action)+" "+u.Name)
		}
	}
	slices.Sort(all)
	return all
}
