package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stet/internal/tree"
	"stet/internal/unit"
	"stet/internal/verity"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestGolden keeps whole plans of what machines go through.
func TestGolden(t *testing.T) {
	newer := status("dbus 1.16", "guard 1.0", "libc6 2.41", "libssl3t64 3.5.2", "systemd 257.13", "web 1.28", "extra 0.1")
	for name, c := range map[string]struct {
		change []string
		facts  func(w *world, old System, f *Facts)
	}{
		"page": {change: []string{"/usr/lib/stet/files/srv/www/index.html", "<p>two</p>\n", "/etc/web/web.conf", "root /srv/www;\nindex index.html;\n"}},
		"desktop": {
			change: []string{
				"/usr/lib/postgresql/18/bin/initdb", "x", databaseStatus, status("dbus 1.16", "guard 1.1", "libc6 2.41", "libssl3t64 3.5.1", "systemd 257.13", "postgresql-18 18.1-1", "postgresql-common 278", "web 1.26"),
				"/usr/lib/python3/guard.py", "guard 2", "/usr/lib/systemd/system/guard.service", "", "/etc/fstab", "/dev/vdb /srv ext4 noatime\n",
				"/usr/lib/systemd/user/shell.service", "[Unit]\nPartOf=graphical-session.target\n[Service]\nExecStart=/usr/bin/shell --new\n",
				"/etc/hostname", "other\n", "/usr/lib/sysctl.d/50-x.conf", "",
			},
			facts: func(w *world, old System, f *Facts) {
				logind := w.active(old, "systemd-logind.service", "/usr/lib/systemd/systemd-logind")
				logind.Namespace = &Namespace{Below: []string{"/usr/lib/modules"}, ReadOnlyEtc: true}
				f.Managers[0].Units = append(f.Managers[0].Units, logind, w.active(old, "guard.service", "/usr/bin/python3.13"),
					RunningUnit{Name: "srv.mount", Active: "active"}, RunningUnit{Name: "local-fs.target", Active: "active"})
				f.Managers = append(f.Managers, RunningManager{User: "ada", Units: []RunningUnit{{Name: "shell.service", Active: "active"}}})
				f.States = []string{"postgresql-17"}
			},
		},
		"upgrade": {
			change: []string{
				databaseStatus, newer, "/usr/sbin/web", "web 2", "/usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl 2", "/usr/lib/stet/boot/vmlinuz", "kernel 2",
				"/usr/bin/dbus-daemon", "dbus 2", "/etc/sysctl.d/99-stet.conf", "net.ipv4.ip_forward = 1\n", "/usr/lib/tmpfiles.d/web.conf", "d /run/web\n",
				"/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nweb:x:990:990::/nonexistent:/usr/sbin/nologin\n", "/etc/group", "root:x:0:\nsudo:x:27:\nweb:x:990:\n",
				"/etc/shadow", "0600:root:*:2::::::\n", "/etc/logo.png", "\x89PNG\x00", "/etc/motd", "->motd.real",
				databaseInfo + "web.postinst", "if dpkg --compare-versions \"$2\" lt-nl 1.27-1~; then\n", databaseInfo + "web.preinst", "dpkg --compare-versions \"$2\" lt 1.20\n",
			},
			facts: func(w *world, old System, f *Facts) {
				f.Sessions = []string{"ada"}
				f.Drift = []Drifted{
					drifted("/etc/motd", "mine\n"), drifted("/etc/web/web.conf", "root /mine;\n"), drifted("/etc/new.conf", "added\n"),
					{Path: "/etc/ssh/key", Change: Added, Persisted: true, Type: "file"},
				}
				f.Mounts = []string{"/usr/games"}
				f.ESP.Free = 1 << 20
			},
		},
	} {
		w := newWorld()
		s := base()
		if name == "desktop" {
			s = s.with("/etc/fstab", "/dev/vdb /srv ext4 defaults\n", "/usr/lib/systemd/user/shell.service", "[Unit]\nPartOf=graphical-session.target\n[Service]\nExecStart=/usr/bin/shell\n",
				"/usr/lib/postgresql/17/bin/initdb", "x", "/usr/lib/systemd/system/guard.service", "[Service]\nExecStart=/usr/bin/guard\n", "/etc/hostname", "m\n", "/usr/bin/hostname", "hostname",
				"/usr/lib/systemd/system/local-fs.target", "[Unit]\n", "/usr/lib/sysctl.d/50-x.conf", "vm.swappiness=10\n",
				databaseStatus, status("dbus 1.16", "guard 1.0", "libc6 2.41", "libssl3t64 3.5.1", "systemd 257.13", "postgresql-17 17.6-1", "postgresql-common 278", "web 1.26"))
		}
		old, next := w.system(t, s), w.system(t, s.with(c.change...).with("/usr/lib/postgresql/17/bin/initdb", ""))
		f := w.facts(old,
			w.active(old, "web.service", "/usr/sbin/web", "/usr/lib/x86_64-linux-gnu/libssl.so.3"),
			w.active(old, "dbus.service", "/usr/bin/dbus-daemon"), w.active(old, "dbus.socket"))
		if c.facts != nil {
			c.facts(w, old, f)
		}
		text, err := w.make(t, old, next, f).Text()
		if err != nil {
			t.Fatal(err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
			t.Errorf("%s: go test ./internal/plan -update writes it anew if that is right:\n%s", name, diff)
		}
	}
}

// drifted is a text that a person left in /etc.
func drifted(name, text string) Drifted {
	return Drifted{Path: name, Change: Modified, Type: "file", Mode: 0o644, Size: int64(len(text)), Digest: verity.Sum([]byte(text)), Text: &text}
}

func TestKernels(t *testing.T) {
	w := newWorld()
	old, next := w.system(t, base()), w.system(t, base().with("/usr/lib/stet/boot/vmlinuz", "kernel 2", "/lib/modules/6.12.1/a.ko", "", "/lib/modules/6.12.2/a.ko", "2"))
	next.KernelVersion = "6.12.2"
	modules := func(p *Plan) string {
		for _, t := range p.Trees {
			if t.Name == modulesTree {
				return fmt.Sprint(t.Live)
			}
		}
		return "same"
	}
	p := w.make(t, old, next, w.facts(old))
	if p.Kind != FullReboot || p.Debt[0].Why != "the running one is 6.12.1, the system's 6.12.2" || modules(p) != "false" || p.ESP.Bytes != 8<<20 {
		t.Errorf("%s %v modules %s ESP %d", p.Kind, p.Debt, modules(p), p.ESP.Bytes)
	}
	// The switch was live; the kernel still waits.
	later := w.system(t, base().with("/usr/lib/stet/boot/vmlinuz", "kernel 2", "/lib/modules/6.12.1/a.ko", "", "/lib/modules/6.12.2/a.ko", "2", "/etc/motd", "x\n"))
	later.KernelVersion = "6.12.2"
	if p := w.make(t, next, later, w.facts(old)); p.Kind != FullReboot || modules(p) != "same" {
		t.Errorf("%s modules %s", p.Kind, modules(p))
	}
	// Back again before the reboot: nothing is owed.
	if p := w.make(t, next, old, w.facts(old)); p.Kind != Live || modules(p) != "true" {
		t.Errorf("back: %s %v", p.Kind, p.Debt)
	}
	// More modules of the running kernel come at once.
	more := w.system(t, base().with("/lib/modules/6.12.1/b.ko", "b"))
	if p := w.make(t, old, more, w.facts(old)); p.Kind != Live || modules(p) != "true" {
		t.Errorf("more modules: %s %s", p.Kind, modules(p))
	}
	quiet := old
	quiet.CommandLine = "quiet splash"
	if p := w.make(t, old, quiet, w.facts(old)); p.Kind != FullReboot {
		t.Errorf("command line: %s", p.Kind)
	}
}

func TestSysctl(t *testing.T) {
	w := newWorld()
	s := base().with("/usr/lib/sysctl.d/50-default.conf", "# x\nkernel.sysrq = 0x01b6\n-net/ipv4/conf/eth0.1/rp_filter=2\n", "/etc/sysctl.d/99-stet.conf", "vm.swappiness = 10\nnet.core.rmem=1  2\n")
	old := w.system(t, s)
	next := w.system(t, s.with("/usr/lib/sysctl.d/50-default.conf", "kernel.sysrq=1\nnet.ipv4.conf.eth0/1.rp_filter = 2\n", "/etc/sysctl.d/99-stet.conf", "net.core.rmem = 1 2\na.b=c\n"))
	p := w.make(t, old, next, w.facts(old, w.active(old, "systemd-sysctl.service")))
	want := []Variable{{"a.b", "", "c"}, {"kernel.sysrq", "0x01b6", "1"}, {"vm.swappiness", "10", ""}}
	if diff := cmp.Diff(want, p.Sysctl); diff != "" {
		t.Error(diff)
	}
	if p.Kind != FullReboot || actions(p) != "restart systemd-sysctl.service (told kernel variables)" {
		t.Errorf("%s %s", p.Kind, actions(p))
	}
	masked := w.system(t, s.with("/etc/sysctl.d/50-default.conf", "->/dev/null"))
	if p := w.make(t, old, masked, w.facts(old)); len(p.Sysctl) != 2 {
		t.Errorf("masked: %v", p.Sysctl)
	}
}

func TestMigrations(t *testing.T) {
	w := newWorld()
	with := func(version string, s spec, packages ...string) System {
		return w.system(t, s.with("/usr/lib/postgresql/"+version+"/bin/initdb", "x", databaseStatus, status(append(packages, "postgresql-common 278")...)))
	}
	old := with("17", base(), "postgresql-17 17.6-1", "mariadb-server 1:11.8.1-2")
	next := with("18", base(), "postgresql-18 18.1-1", "mariadb-server 1:11.8.2-1")
	f := w.facts(old)
	f.States = []string{"mariadb", "postgresql-17"}
	p := w.make(t, old, next, f)
	want := []Migration{
		{"mariadb", "1:11.8.1-2", "1:11.8.2-1", "mariadb-upgrade", "mariadb-server", true},
		{"postgresql", "17", "18", "pg_upgradecluster 17 main", "postgresql-17", false},
	}
	if diff := cmp.Diff(want, p.Migrations); diff != "" {
		t.Error(diff)
	}
	if len(p.Decisions) != 1 || p.Decisions[0].Kind != DecideMigration || p.Decisions[0].What != "postgresql 17" {
		t.Errorf("decisions: %v", p.Decisions)
	}
	// With both versions, the data can be taken over.
	both := with("18", base().with("/usr/lib/postgresql/17/bin/initdb", "x"), "postgresql-17 17.6-1", "postgresql-18 18.1-1", "mariadb-server 1:11.8.1-2")
	if p := w.make(t, old, both, f); len(p.Migrations)+len(p.Decisions) != 0 {
		t.Errorf("both: %v %v", p.Migrations, p.Decisions)
	}
	// Who drops the whole service wants its data to be taken over by nobody.
	dropped := w.system(t, base().with(databaseStatus, status("mariadb-server 1:11.8.1-2")))
	if p := w.make(t, old, dropped, f); len(p.Migrations)+len(p.Decisions) != 0 {
		t.Errorf("dropped: %v %v", p.Migrations, p.Decisions)
	}
	// Without data there is nothing to take over.
	f.States = nil
	if p := w.make(t, old, next, f); len(p.Migrations)+len(p.Decisions) != 0 {
		t.Errorf("no data: %v %v", p.Migrations, p.Decisions)
	}
}

func TestAccounts(t *testing.T) {
	w := newWorld()
	old := w.system(t, base())
	next := w.system(t, base().with(
		"/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nada:x:1001:1000:Ada:/home/ada:/bin/zsh\nada:x:7:7:second:/:/x\nbroken:x\n",
		"/etc/group", "root:x:0:\nsudo:x:28:bob,ada,bob\nada:x:1000:\n"))
	p := w.make(t, old, next, w.facts(old))
	ada := &Account{"1000", "1000", "Ada", "/home/ada", "/bin/bash"}
	zsh := &Account{"1001", "1000", "Ada", "/home/ada", "/bin/zsh"}
	if diff := cmp.Diff([]User{{"ada", ada, zsh}}, p.Users); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Group{{"sudo", &Membership{"27", []string{"ada"}}, &Membership{"28", []string{"ada", "bob"}}}}, p.Groups); diff != "" {
		t.Error(diff)
	}
	var asked []string
	for _, d := range p.Decisions {
		asked = append(asked, d.What+" "+d.Why)
	}
	want := []string{
		"group sudo has gid 27, and 28 in the new system: what it owns and runs would be another's",
		"user ada has uid 1000, and 1001 in the new system: what it owns and runs would be another's",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestWhatHasToBeFetched(t *testing.T) {
	w := newWorld()
	old, next := w.system(t, base()), w.system(t, base().with("/etc/a", "12345", "/usr/b", "12345", "/usr/c", "hello\n", "/usr/d", ""))
	p := w.make(t, old, next, w.facts(old))
	if p.Fetch != (Fetch{Objects: 1, Bytes: 5}) {
		t.Errorf("have %+v: contents count once, and not those that another file has", p.Fetch)
	}
	f := w.facts(old)
	f.Trees = []string{next.Trees[etcTree], next.Trees[usrTree]}
	if p := w.make(t, old, next, f); p.Fetch.Objects != 0 {
		t.Errorf("have %+v of trees that are there", p.Fetch)
	}
	f = w.facts(old)
	f.Disk.Free, f.ESP = 4, nil
	if p := w.make(t, old, next, f); len(p.Decisions) != 1 || p.Decisions[0].Kind != DecideSpace {
		t.Errorf("decisions: %v", p.Decisions)
	}
}

func TestEqualTreesAreNotRead(t *testing.T) {
	w := newWorld()
	s := w.system(t, base())
	f := w.facts(s, w.active(s, "web.service", "/usr/sbin/web"))
	w.reads = 0
	p := w.make(t, s, s, f)
	if !p.Empty() || w.reads != 0 {
		t.Errorf("%s, %d trees were read", p.Kind, w.reads)
	}
	f.Managers, f.Run, f.Mounts = nil, nil, nil
	if diff := cmp.Diff(p, w.make(t, s, s, f)); diff != "" {
		t.Errorf("what runs has a part in it: %s", diff)
	}
}

func TestWrongFactsAreRefused(t *testing.T) {
	w := newWorld()
	s := w.system(t, base())
	for want, f := range map[string]*Facts{
		"is no unit":        {Managers: []RunningManager{{Units: []RunningUnit{{Name: "x"}}}}},
		"comes first":       {Managers: []RunningManager{{User: "ada"}}},
		"below /etc":        {Drift: []Drifted{{Path: "/etc/../usr/x"}}},
		"each user has one": {Managers: []RunningManager{{}, {}}},
	} {
		if _, err := Make(w, s, s, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	for _, text := range []string{"", "{}", `{"format":2}`, `{"format":1,"more":1}`} {
		if _, err := ParseFacts([]byte(text)); err == nil {
			t.Errorf("facts %q were read", text)
		}
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("plan %q was read", text)
		}
	}
}

func TestFactsAreText(t *testing.T) {
	w := newWorld()
	s := w.system(t, base())
	f := w.facts(s, w.active(s, "web.service", "/usr/sbin/web"))
	f.Drift = []Drifted{drifted("/etc/motd", "x\n")}
	f.Run = map[string]RunFile{"/run/systemd/system/a.service": {Text: service}}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseFacts(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, again); diff != "" {
		t.Error(diff)
	}
}

// FuzzFacts plans with facts that anybody may have written.
func FuzzFacts(f *testing.F) {
	w := newWorld()
	old, next := w.system(f, base()), w.system(f, base().with("/etc/web/web.conf", "x\n", "/usr/sbin/web", "web 2", "/etc/fstab", "/dev/a /a ext4\n"))
	facts := w.facts(old, w.active(old, "web.service", "/usr/sbin/web"), RunningUnit{Name: "x@y.socket", Active: "active", Namespace: &Namespace{Private: true}})
	facts.Drift = []Drifted{drifted("/etc/motd", "x\n"), {Path: "/etc/systemd/system/web.service", Change: Deleted}}
	facts.Run = map[string]RunFile{"/run/systemd/system/x@.socket": {Text: "[Socket]\nService=web.service\n"}}
	text, err := json.Marshal(facts)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, err := ParseFacts(text)
		if err != nil {
			return
		}
		there, err := Make(w, old, next, facts)
		if err != nil {
			return
		}
		again, _ := Make(w, old, next, facts)
		if diff := cmp.Diff(there, again); diff != "" {
			t.Error(diff)
		}
	})
}

// TestProperties draws systems and machines.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld()
		before, after := drawSpec(r, "old"), drawSpec(r, "new")
		old, next := w.system(t, before), w.system(t, after)
		f := w.facts(old)
		for _, name := range drawnUnits {
			if state := rapid.SampledFrom([]string{"", "active", "active", "failed"}).Draw(r, name); state != "" {
				u := RunningUnit{Name: name, Active: state, Fragment: lib + name}
				if state == "active" && strings.HasSuffix(name, ".service") {
					u.Maps = w.maps(old, "/usr/sbin/"+name)
				}
				if rapid.IntRange(0, 5).Draw(r, "namespace of "+name) == 0 {
					u.Namespace = &Namespace{Private: rapid.Bool().Draw(r, "private"), ReadOnlyEtc: true}
				}
				f.Managers[0].Units = append(f.Managers[0].Units, u)
			}
		}
		if p := w.make(t, old, old, f); !p.Empty() || len(p.Files)+len(p.Packages)+len(p.Trees)+len(p.Managers)+len(p.Tasks) != 0 {
			r.Fatalf("from a system to itself: %+v", p)
		}
		p := w.make(t, old, next, f)
		text, _ := p.Text()
		for range 3 { // maps are walked in another order each time
			slices.Reverse(f.Managers[0].Units)
			if again, _ := w.make(t, old, next, f).Text(); !bytes.Equal(text, again) {
				r.Fatalf("the same input gives\n%s\nand\n%s", text, again)
			}
		}
		checkUnits(r, p, f)
		checkOrder(r, p, before, after)
	})
}

var drawnUnits = []string{"a.socket", "b.socket", "c.timer", "a.service", "b.service", "c.service", "d.service", "dbus.service"}

// drawSpec makes a system whose dependencies lead from later units to earlier
// ones, so that there is no circle.
func drawSpec(r *rapid.T, label string) spec {
	s := base()
	for i, name := range drawnUnits {
		if rapid.IntRange(0, 6).Draw(r, label+" has "+name) == 0 {
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "[Unit]\nDescription=%d\n", i)
		for _, key := range []string{"After", "Requires", "Wants", "PartOf", "Conflicts", "BindsTo"} {
			if i > 0 && rapid.IntRange(0, 4).Draw(r, key) == 0 {
				fmt.Fprintf(&text, "%s=%s\n", key, drawnUnits[rapid.IntRange(0, i-1).Draw(r, "other")])
			}
		}
		for _, key := range []string{"X-RestartIfChanged=false", "X-StopIfChanged=false", "X-ReloadIfChanged=true", "X-StopOnRemoval=false", "X-OnlyManualStart=true", "RefuseManualStop=yes"} {
			if rapid.IntRange(0, 9).Draw(r, key) == 0 {
				fmt.Fprintln(&text, key)
			}
		}
		fmt.Fprintf(&text, "[%s]\nNice=%d\n", unit.Section(name), rapid.IntRange(0, 1).Draw(r, "nice"))
		if strings.HasSuffix(name, ".service") {
			fmt.Fprintf(&text, "ExecStart=/usr/sbin/%s\nExecReload=/bin/true\n", name)
			s["/usr/sbin/"+name] = fmt.Sprint(name, rapid.IntRange(0, 2).Draw(r, "program"))
		}
		s[lib+name] = text.String()
		if rapid.Bool().Draw(r, label+" wants "+name) {
			s[etc+"multi-user.target.wants/"+name] = "->" + lib + name
		}
	}
	return s
}

// checkUnits holds a plan to what must be true of all.
func checkUnits(r *rapid.T, p *Plan, f *Facts) {
	at := map[string]int{}
	active := map[string]bool{}
	for _, u := range f.Managers[0].Units {
		active[u.Name] = u.Active == "active"
	}
	for i, u := range p.Units {
		if _, twice := at[u.Name]; twice {
			r.Fatalf("%s is there twice:\n%s", u.Name, actions(p))
		}
		at[u.Name] = i
		if len(u.Reasons) == 0 {
			r.Fatalf("%s of %s without a reason", u.Action, u.Name)
		}
		if (u.Action == Start) == active[u.Name] {
			r.Fatalf("%s of %s, which is active: %v", u.Action, u.Name, active[u.Name])
		}
		if u.Action == Keep && !slices.ContainsFunc(p.Debt, func(d Debt) bool { return d.What == "unit "+u.Name }) {
			r.Fatalf("%s is kept, and nothing is owed", u.Name)
		}
	}
	if slices.ContainsFunc(p.Units, func(u Unit) bool {
		return u.Name == "dbus.service" && u.Action != Keep && u.Action != Reload && u.Action != Start
	}) {
		r.Fatalf("what must be kept is not:\n%s", actions(p))
	}
}

// checkOrder holds the order of units to what their files say.
func checkOrder(r *rapid.T, p *Plan, old, next spec) {
	at := func(name string) int {
		return slices.IndexFunc(p.Units, func(u Unit) bool { return u.Name == name })
	}
	for i, u := range p.Units {
		text, ok := next[lib+u.Name]
		if !ok {
			text = old[lib+u.Name]
		}
		for line := range strings.Lines(text) {
			if other, ok := strings.CutPrefix(strings.TrimSpace(line), "After="); ok && at(other) > i {
				r.Fatalf("%s comes after %s:\n%s", other, u.Name, actions(p))
			}
		}
		if base, ok := strings.CutSuffix(u.Name, ".socket"); ok && at(base+".service") >= 0 && at(base+".service") < i {
			r.Fatalf("a socket comes after its service:\n%s", actions(p))
		}
	}
}

// BenchmarkLargeSystems plans a change of one file among 150,000.
func BenchmarkLargeSystems(b *testing.B) {
	w := newWorld()
	old := w.system(b, base())
	for _, s := range []System{old} {
		t := w.trees[s.Trees[usrTree]]
		builder := tree.NewBuilder(t)
		for i := range 150_000 {
			name := fmt.Sprintf("/share/many/%d/%d", i/100, i)
			builder.MakeParents(name, tree.Time{})
			builder.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: 8, Digest: verity.Sum(fmt.Appendf(nil, "%08d", i))})
		}
		made, err := builder.Tree()
		if err != nil {
			b.Fatal(err)
		}
		old.Trees[usrTree] = made.Digest()
		w.trees[made.Digest()] = made
	}
	changed := w.system(b, base().with("/etc/web/web.conf", "root /x;\n"))
	next := old
	next.Digest, next.Trees = changed.Digest, map[string]string{usrTree: old.Trees[usrTree], etcTree: changed.Trees[etcTree], modulesTree: old.Trees[modulesTree], varTree: old.Trees[varTree]}
	facts := w.facts(old, w.active(old, "web.service", "/usr/sbin/web"))
	for name, s := range map[string]System{"same": old, "one file of etc": next} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Make(w, old, s, facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
