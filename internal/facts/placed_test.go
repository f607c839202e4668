package facts

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/tree"
)

// aMachine has a store, and a var tree in it.
func aMachine(t *testing.T, entries ...tree.Entry) (Machine, plan.System, fakeProc) {
	t.Helper()
	p := newProc(t)
	p.write("etc/passwd", fmt.Sprintf("ada:x:%d:0::/home/ada:/bin/sh\nzoe:x:%[1]d:0::/:/bin/sh\n", os.Getuid()))
	s, err := store.Open(filepath.Join(p.root, "stet"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	for _, e := range entries {
		b.MakeParents(e.Path, tree.Time{})
		b.Put(e)
	}
	made, err := b.Tree()
	must(t, err)
	digest, err := s.PutTree(made)
	must(t, err)
	return Machine{Root: p.root, Store: s}, plan.System{Trees: map[string]string{"var": digest}}, p
}

func directory(name string) tree.Entry {
	return tree.Entry{Path: name, Type: tree.Directory, Mode: 0o755}
}

func link(name, target string) tree.Entry {
	return tree.Entry{Path: name, Type: tree.Symlink, Mode: 0o777, Target: target}
}

func TestWhatIsPutBesidePackagesIsFound(t *testing.T) {
	m, running, p := aMachine(t,
		directory("/var/usrlocal/bin"), directory("/var/usrlocal/lib/python3.13/dist-packages"), directory("/var/usrlocal/share/man"),
		tree.Entry{Path: "/var/usrlocal/share/seed", Type: tree.Regular, Mode: 0o644},
		link("/var/usrlocal/bin/declared", "/usr/lib/stet/files/usr/local/bin/declared"),
		directory("/opt"), link("/opt/vendor", "/usr/lib/opt/vendor"), link("/opt/replaced", "/usr/lib/opt/replaced"), link("/opt/gone", "/usr/lib/opt/gone"))
	at := func(name string) string { return filepath.Join(p.root, name) }
	for _, dir := range []string{"var/usrlocal/bin", "var/usrlocal/games", "opt"} {
		must(t, os.MkdirAll(at(dir), 0o755))
	}
	must(t, os.Symlink("/usr/lib/stet/files/usr/local/bin/declared", at("var/usrlocal/bin/declared")))
	must(t, os.Symlink("/usr/lib/opt/vendor", at("opt/vendor")))
	p.write("opt/replaced/x", "x")
	p.write("var/usrlocal/share/seed", "changed")
	before := time.Now().Add(-time.Minute)
	p.write("var/usrlocal/bin/tool", "tool")
	must(t, os.Chtimes(at("var/usrlocal/bin/tool"), time.Unix(1, 0), time.Unix(1, 0)))
	must(t, os.Symlink("/srv/run", at("var/usrlocal/bin/run\nme")))
	p.write("var/usrlocal/lib/python3.13/dist-packages/requests/a.py", "")
	p.write("var/usrlocal/lib/python3.13/dist-packages/requests/b/c.py", "")
	p.write("var/usrlocal/etc/app/app.conf", "")
	p.write("opt/app/bin/app", "")

	seen := &drift.Seen{}
	must(t, m.state(running, seen))
	want := []drift.Placed{
		{Path: "/usr/local/bin/run\nme", Type: "symlink", Target: "/srv/run", User: "ada"},
		{Path: "/usr/local/bin/tool", Type: "file", User: "ada"},
		{Path: "/usr/local/etc", Type: "directory", User: "ada", Files: 1},
		{Path: "/usr/local/lib/python3.13/dist-packages/requests", Type: "directory", User: "ada", Files: 2},
		{Path: "/opt/app", Type: "directory", User: "ada", Files: 1},
		{Path: "/opt/replaced", Type: "directory", User: "ada", Files: 1, Instead: true},
	}
	if diff := cmp.Diff(want, seen.Placed, cmpopts.IgnoreFields(drift.Placed{}, "Changed")); diff != "" {
		t.Error(diff)
	}
	for _, f := range seen.Placed {
		if f.Changed.Before(before) {
			t.Errorf("%s came just now, and not %v", f.Path, f.Changed)
		}
	}
	if len(seen.Links) > 0 {
		t.Errorf("links: %v", seen.Links)
	}
}

func TestLinksThatAreNotWhatTheyShouldBeAreFound(t *testing.T) {
	var entries []tree.Entry
	for _, name := range []string{"right", "directory", "elsewhere", "gone", "below/file"} {
		entries = append(entries, link("/var/lib/"+name, "/usr/lib/stet/var/lib/"+name))
	}
	m, running, p := aMachine(t, append(entries, link("/var/lib/seed", "/srv"))...)
	at := func(name string) string { return filepath.Join(p.root, "var/lib", name) }
	must(t, os.MkdirAll(at("directory"), 0o755))
	must(t, os.Symlink("/usr/lib/stet/var/lib/right", at("right")))
	must(t, os.Symlink("/tmp", at("elsewhere")))
	must(t, os.WriteFile(at("below"), nil, 0o644))
	seen := &drift.Seen{}
	must(t, m.state(running, seen))
	want := []drift.Link{
		{Path: "/var/lib/below/file", Target: "/usr/lib/stet/var/lib/below/file"},
		{Path: "/var/lib/directory", Target: "/usr/lib/stet/var/lib/directory", Type: "directory"},
		{Path: "/var/lib/elsewhere", Target: "/usr/lib/stet/var/lib/elsewhere", Type: "symlink", To: "/tmp"},
		{Path: "/var/lib/gone", Target: "/usr/lib/stet/var/lib/gone"},
	}
	if diff := cmp.Diff(want, seen.Links, cmpopts.IgnoreFields(drift.Link{}, "Changed")); diff != "" {
		t.Error(diff)
	}
}

func TestTablesAndJobsAreFound(t *testing.T) {
	m, _, p := aMachine(t)
	p.write("var/spool/cron/crontabs/ada", "# mine\nMAILTO=ada\nPATH = /bin\n\n*/5 * * * * date >/tmp/x=y\n@reboot FOO=1 run\n")
	p.write("var/spool/cron/crontabs/eve", "# nothing\n")
	p.write("var/spool/cron/atjobs/.SEQ", "00003\n")
	p.write("var/spool/cron/atjobs/a0000301c0a1b2", "#!/bin/sh\n")
	must(t, os.Symlink("/usr/lib/stet/files/x", filepath.Join(p.root, "var/spool/cron/crontabs/root")))
	seen := &drift.Seen{}
	must(t, m.schedules(seen))
	want := []drift.Schedule{
		{Path: "/var/spool/cron/crontabs/ada", User: "ada", Entries: 2},
		{Path: "/var/spool/cron/atjobs/a0000301c0a1b2", User: "ada", Job: 3, Due: time.Unix(0x01c0a1b2*60, 0).UTC()},
	}
	if diff := cmp.Diff(want, seen.Schedules, cmpopts.IgnoreFields(drift.Schedule{}, "Changed")); diff != "" {
		t.Error(diff)
	}
}

func TestModulesThatTaintAreFound(t *testing.T) {
	p := newProc(t)
	p.write("proc/modules", "virtio_net 98304 0 - Live 0x0000000000000000\nmine 16384 0 - Live 0x0000000000000000 (OE)\nnv_drm 16384 2 a,b, Live 0x0000000000000000 (POE)\nstaged 16384 0 - Live 0x0000000000000000 (C)\n")
	p.write("usr/lib/modules/6.12/modules.dep", "updates/dkms/nv-drm.ko.xz: updates/dkms/nv.ko.xz\nkernel/net/x.ko:\n")
	have, err := Machine{Root: p.root}.tainting("6.12")
	must(t, err)
	if diff := cmp.Diff([]drift.LoadedModule{{Name: "mine", Taint: "OE"}, {Name: "nv_drm", Taint: "POE", Packaged: true}}, have); diff != "" {
		t.Error(diff)
	}
}

func TestEntriesThatTheFirmwareWasToldAreFound(t *testing.T) {
	p := newProc(t)
	variable := func(name, value string) {
		raw := []byte{7, 0, 0, 0}
		for _, unit := range utf16.Encode([]rune(value)) {
			raw = binary.LittleEndian.AppendUint16(raw, unit)
		}
		p.write("sys/firmware/efi/efivars/"+name+"-"+loaderVendor, string(raw))
	}
	variable("LoaderEntryDefault", "stet-3.conf\x00")
	variable("LoaderEntryOneShot", "\x00")
	variable("LoaderEntrySelected", "stet-4.conf\x00")
	have, err := Machine{Root: p.root}.chosen()
	if diff := cmp.Diff(map[string]string{"LoaderEntryDefault": "stet-3.conf"}, have); err != nil || diff != "" {
		t.Error(diff, err)
	}
	for _, raw := range []string{"", "abc", "abcde", "abcd\x00"} {
		if have := decodeVariable([]byte(raw)); have != "" {
			t.Errorf("%q: %q", raw, have)
		}
	}
}

func TestWhenSomethingWasChangedIsTold(t *testing.T) {
	p := newProc(t)
	p.write("state/etc/1/upper/d/old", "x")
	must(t, os.Chtimes(filepath.Join(p.root, "state/etc/1/upper/d/old"), time.Unix(1, 0), time.Unix(1, 0)))
	p.write("run/systemd/system/a.service", "")
	seen := &drift.Seen{Facts: &plan.Facts{
		Drift: []plan.Drifted{{Path: "/etc/d/old", Change: plan.Added}, {Path: "/etc/gone", Change: plan.Deleted}, {Path: "/etc/moved/x", Change: plan.Added}},
		Run:   map[string]plan.RunFile{"/run/systemd/system/a.service": {}},
	}}
	must(t, Machine{Root: p.root, State: filepath.Join(p.root, "state")}.changes(state.Boot{Upper: 1}, seen))
	if len(seen.Changed) != 2 {
		t.Errorf("%v", seen.Changed)
	}
	for _, name := range []string{"/etc/d/old", "/run/systemd/system/a.service"} {
		if at := seen.Changed[name]; time.Since(at) > time.Hour {
			t.Errorf("%s came just now, and not %v", name, at)
		}
	}
}

func TestWhoHasNoNameIsCalledByTheNumber(t *testing.T) {
	m, _, _ := aMachine(t)
	user, err := m.userNames()
	must(t, err)
	if have := user(uint32(os.Getuid())) + " " + user(4711); !strings.HasPrefix(have, "ada 4711") {
		t.Error(have)
	}
}
