package facts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/mount"
	"stet/internal/plan"
	"stet/internal/systemd"
)

// A fakeProc is a root directory with a proc, in which processes are files.
type fakeProc struct {
	t    *testing.T
	root string
}

const (
	machineMounts = `21 1 0:20 / / rw shared:1 - tmpfs tmpfs rw
22 21 0:30 / /usr ro shared:2 - overlay stet:usr:new ro
24 21 0:32 / /etc rw shared:4 - overlay stet:etc:new rw
25 21 254:0 /state/var /var rw shared:5 - ext4 /dev/vda rw
`
	usrTree = "1111"
	oldTree = "2222"
)

func newProc(t *testing.T) fakeProc {
	p := fakeProc{t, t.TempDir()}
	p.process(1, "init.scope", "machine", machineMounts, "0:30 /usr/lib/systemd/systemd")
	return p
}

func (p fakeProc) write(name, text string) {
	p.t.Helper()
	at := filepath.Join(p.root, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// process adds one; mapped are "MAJOR:MINOR path" of files it has.
func (p fakeProc) process(pid int, cgroup, namespace, mounts string, mapped ...string) {
	p.t.Helper()
	dir := fmt.Sprintf("proc/%d/", pid)
	p.write(dir+"cgroup", "0::/"+cgroup+"\n")
	p.write(dir+"mountinfo", mounts)
	var maps strings.Builder
	for _, m := range mapped {
		device, name, _ := strings.Cut(m, " ")
		var major, minor int
		fmt.Sscanf(device, "%d:%d", &major, &minor)
		fmt.Fprintf(&maps, "7f0000000000-7f0000001000 r-xp 00000000 %02x:%02x 4711                       %s\n", major, minor, name)
	}
	p.write(dir+"maps", maps.String()+"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n")
	if err := os.MkdirAll(filepath.Join(p.root, dir, "ns"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink("mnt:["+namespace+"]", filepath.Join(p.root, dir, "ns/mnt")); err != nil {
		p.t.Fatal(err)
	}
}

// managers gathers with the given units of the system's manager and of ada's.
func (p fakeProc) managers(units, hers []string) []plan.RunningManager {
	p.t.Helper()
	m := Machine{Root: p.root, Units: func(_ context.Context, of *systemd.User) ([]systemd.Unit, error) {
		names := units
		if of != nil {
			names = hers
		}
		var all []systemd.Unit
		for _, name := range names {
			all = append(all, systemd.Unit{Name: name, Active: "active", Sub: "running"})
		}
		return all, nil
	}}
	around, err := m.look(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	managers, err := m.managers(around, usrTree)
	if err != nil {
		p.t.Fatal(err)
	}
	return managers
}

func (p fakeProc) unit(name string) plan.RunningUnit {
	p.t.Helper()
	return p.managers([]string{name}, nil)[0].Units[0]
}

func TestMappedFilesAreNamedByTreeAndPath(t *testing.T) {
	p := newProc(t)
	p.write("run/stet/devices", "0:40 usr 9999\n0:40 usr "+oldTree+"\n0:41 etc 3333\n0:60 usr 8888\n")
	docker := "50 1 0:60 / / rw - overlay overlay rw\n"
	p.process(10, "system.slice/a.service", "machine", machineMounts,
		"0:30 /usr/lib/libc.so.6", "0:30 /usr/bin/a", "0:30 /usr/bin/a (deleted)",
		"0:40 /lib/old.so", "0:40 /usr/share/kept", // of a tree that is mounted no more
		"0:41 /ld.so.cache", // of /etc
		"254:0 /var/lib/x.db", "0:1 /memfd:x (deleted)",
		"0:99 /usr/lib/nobody-knows.so", "0:98 /opt/other")
	p.process(11, "system.slice/a.service/below", "machine", machineMounts, "0:30 /usr/bin/helper")
	p.process(12, "system.slice/docker.service", "docker", docker, "0:60 /usr/bin/theirs")
	want := []plan.Maps{
		{Tree: "", Paths: []string{"/usr/lib/nobody-knows.so"}},
		{Tree: usrTree, Paths: []string{"/usr/bin/a", "/usr/bin/helper", "/usr/lib/libc.so.6"}},
		{Tree: oldTree, Paths: []string{"/usr/lib/old.so", "/usr/share/kept"}},
	}
	if diff := cmp.Diff(want, p.unit("a.service").Maps); diff != "" {
		t.Error(diff)
	}
	if have := p.unit("docker.service"); have.Maps != nil || have.Namespace != nil {
		t.Errorf("a container's own files are taken for the machine's: %+v", have)
	}
	if have := p.managers([]string{SwitchUnit}, nil)[0].Units; len(have) > 0 {
		t.Errorf("what carries a switch out is a part of it: %+v", have)
	}
	if have := p.managers(nil, nil)[0].Maps; cmp.Diff([]plan.Maps{{Tree: usrTree, Paths: []string{"/usr/lib/systemd/systemd"}}}, have) != "" {
		t.Errorf("the manager itself: %v", have)
	}
}

// TestNamespacesAreJudgedAsMeasured has the rows of a trial on a real machine.
func TestNamespacesAreJudgedAsMeasured(t *testing.T) {
	follow := strings.NewReplacer("shared:1 ", "master:1 ", "shared:2 ", "master:2 ", "shared:3 ", "master:3 ", "shared:4 ", "master:4 ", "shared:5 ", "master:5 ").Replace(machineMounts)
	private := strings.NewReplacer(" shared:1", "", " shared:2", "", " shared:3", "", " shared:4", "", " shared:5", "").Replace(machineMounts)
	readOnly := strings.Replace(follow, "/etc rw", "/etc ro", 1)
	shared := strings.Replace(follow, "master:1 ", "shared:77 master:1 ", 1)
	second := strings.Replace(follow, "master:1 ", "master:77 ", 1)
	for name, c := range map[string]struct {
		mounts string
		want   *plan.Namespace
	}{
		"PrivateTmp":                {follow + "90 21 0:50 / /tmp rw master:9 - tmpfs tmpfs rw\n", &plan.Namespace{}},
		"ProtectSystem=full":        {readOnly, &plan.Namespace{ReadOnlyEtc: true}},
		"ProtectKernelModules":      {follow + "90 22 0:51 /systemd/inaccessible/dir /usr/lib/modules ro - tmpfs tmpfs rw\n", &plan.Namespace{Below: []string{"/usr/lib/modules"}}},
		"BindReadOnlyPaths":         {follow + "90 21 0:30 /share/nginx /opt ro - overlay stet:usr:new ro\n", &plan.Namespace{Copies: []plan.Copy{{Of: "/usr/share/nginx", At: "/opt"}}}},
		"ReadOnlyPaths=/etc/nginx":  {follow + "90 24 0:32 /nginx /etc/nginx ro - overlay stet:etc:new rw\n", &plan.Namespace{Below: []string{"/etc/nginx"}}},
		"MountFlags=private":        {private, &plan.Namespace{Private: true}},
		"a follower of a follower":  {second, &plan.Namespace{}},
		"nothing of the machine":    {"50 1 0:60 / / rw - overlay overlay rw\n", nil},
		"an old tree is still seen": {follow + "90 22 0:40 / /usr ro - overlay stet:usr:old ro\n91 90 0:51 /x /usr/lib/modules ro - tmpfs tmpfs rw\n", &plan.Namespace{Below: []string{"/usr/lib/modules"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProc(t)
			p.process(10, "system.slice/a.service", "its own", c.mounts, "0:30 /usr/bin/a")
			p.process(11, "system.slice/b.service", "followed", shared, "0:30 /usr/bin/b")
			if diff := cmp.Diff(c.want, p.unit("a.service").Namespace); diff != "" {
				t.Error(diff)
			}
		})
	}
	p := newProc(t)
	p.process(10, "system.slice/a.service", "machine", machineMounts)
	p.process(11, "system.slice/a.service", "one", readOnly)
	p.process(12, "system.slice/a.service", "two", private)
	if diff := cmp.Diff(&plan.Namespace{Private: true, ReadOnlyEtc: true}, p.unit("a.service").Namespace); diff != "" {
		t.Errorf("the namespaces of several processes: %s", diff)
	}
}

func TestUsersHaveManagersOfTheirOwn(t *testing.T) {
	p := newProc(t)
	p.write("run/systemd/users/1000", "NAME=ada\nSESSIONS=1\n")
	p.write("run/user/1000/systemd/private", "")
	p.write("run/systemd/transient/run-u1.service", "")
	p.process(20, "user.slice/user-1000.slice/user@1000.service/init.scope", "machine", machineMounts, "0:30 /usr/lib/systemd/systemd")
	p.process(21, "user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "machine", machineMounts, "0:30 /usr/bin/x")
	p.process(22, "user.slice/user-1001.slice/user@1001.service/app.slice/x.service", "machine", machineMounts, "0:30 /usr/bin/other")
	have := p.managers([]string{"user@1000.service", "run-u1.service"}, []string{"x.service"})
	want := []plan.RunningManager{
		{
			Maps: []plan.Maps{{Tree: usrTree, Paths: []string{"/usr/lib/systemd/systemd"}}},
			Units: []plan.RunningUnit{
				{Name: "user@1000.service", Active: "active", Sub: "running", Maps: []plan.Maps{{Tree: usrTree, Paths: []string{"/usr/bin/x", "/usr/lib/systemd/systemd"}}}},
				{Name: "run-u1.service", Active: "active", Sub: "running", Fragment: "/run/systemd/transient/run-u1.service"},
			},
		},
		{
			User: "ada", Maps: []plan.Maps{{Tree: usrTree, Paths: []string{"/usr/lib/systemd/systemd"}}},
			Units: []plan.RunningUnit{{Name: "x.service", Active: "active", Sub: "running", Maps: []plan.Maps{{Tree: usrTree, Paths: []string{"/usr/bin/x"}}}}},
		},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	pids, err := Machine{Root: p.root}.Processes("ada", "x.service")
	if diff := cmp.Diff([]int{21}, pids); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func TestForeignMountsAreNamed(t *testing.T) {
	mounts, err := mount.ParseInfo(machineMounts + "60 22 0:70 / /usr/games rw - tmpfs tmpfs rw\n61 24 0:71 / /etc/secret rw - ramfs ramfs rw\n62 21 0:72 / /usrlocal rw - tmpfs tmpfs rw\n")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{own: "m", namespaces: map[string][]mount.Info{"m": mounts}}
	if diff := cmp.Diff([]string{"/etc/secret", "/usr/games"}, newNamespaces(w).others()); diff != "" {
		t.Error(diff)
	}
}

func TestUnitFilesOfTheRunAreRead(t *testing.T) {
	p := newProc(t)
	p.write("run/systemd/generator/mnt.mount", "[Mount]\n")
	p.write("run/systemd/system/x.service.d/a.conf", "[Service]\n")
	p.write("run/systemd/journal/streams/x", "not a unit")
	if err := os.Symlink("/dev/null", filepath.Join(p.root, "run/systemd/system/masked.service")); err != nil {
		t.Fatal(err)
	}
	have, err := Machine{Root: p.root}.runFiles()
	want := map[string]plan.RunFile{
		"/run/systemd/generator/mnt.mount":       {Text: "[Mount]\n"},
		"/run/systemd/system/x.service.d/a.conf": {Text: "[Service]\n"},
		"/run/systemd/system/masked.service":     {Link: "/dev/null"},
	}
	if diff := cmp.Diff(want, have); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func TestStatesAreThoseThatWereMade(t *testing.T) {
	p := newProc(t)
	p.write("var/lib/stet/service/postgresql-17.made", "")
	p.write("var/lib/stet/service/mariadb.making", "")
	have, err := Machine{Root: p.root}.states()
	if diff := cmp.Diff([]string{"postgresql-17"}, have); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func TestWhenProcessesAreNotLookedAt(t *testing.T) {
	running := plan.System{Digest: "one", Trees: map[string]string{"usr": usrTree}}
	persisted := []plan.Drifted{{Path: "/etc/machine-id", Persisted: true}}
	for name, c := range map[string]struct {
		next    string
		devices string
		facts   plan.Facts
		want    bool
	}{
		"what runs":                      {"one", "", plan.Facts{Drift: persisted}, true},
		"its own tree was mounted anew":  {"one", "0:30 usr " + usrTree + "\n0:41 usr " + usrTree + "\n", plan.Facts{}, true},
		"another system":                 {"two", "", plan.Facts{}, false},
		"another tree was mounted":       {"one", "0:30 usr " + usrTree + "\n0:41 usr " + oldTree + "\n", plan.Facts{}, false},
		"something of /etc goes":         {"one", "", plan.Facts{Drift: append(persisted, plan.Drifted{Path: "/etc/motd"})}, false},
		"something is to be as declared": {"one", "", plan.Facts{Restore: &plan.Restore{}}, false},
	} {
		p := newProc(t)
		p.write("run/stet/devices", c.devices)
		have, err := Machine{Root: p.root}.still(running, plan.System{Digest: c.next, Trees: running.Trees}, &c.facts)
		if err != nil || have != c.want {
			t.Errorf("%s: %v, %v", name, have, err)
		}
	}
}

func TestWithoutStetThereIsNothingToGather(t *testing.T) {
	if _, err := (Machine{Root: t.TempDir()}).Gather(t.Context(), plan.System{}, nil); err != ErrNone {
		t.Error(err)
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add("7f00-7f01 r-xp 00000000 00:1e 4711                       /usr/bin/a b (deleted)\n")
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMaps([]byte(text)) {
			if !strings.HasPrefix(m.path, "/") || !strings.Contains(m.device, ":") {
				t.Errorf("%+v", m)
			}
		}
	})
}

func TestOurOwnMapsAreRead(t *testing.T) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range parseMaps(text) {
		if m.path == program {
			return
		}
	}
	t.Errorf("%s is not in\n%s", program, text)
}

func TestOtherPasswordsAreNamed(t *testing.T) {
	const was = "root:*:1::::::\nada:!:1::::::\neve:$6$x:1::::::\n"
	if have := otherPasswords(was, "root:*:2::::::\nada:$6$y:2::::::\neve:$6$x:1::::::\nnew:$6$z:1::::::\nada:!:1::::::\nrubbish\n"); cmp.Diff([]string{"ada"}, have) != "" {
		t.Errorf("%q", have)
	}
}

func TestKernelVariablesAreRead(t *testing.T) {
	p := newProc(t)
	p.write("proc/sys/net/ipv4/ip_forward", "1\n")
	p.write("proc/sys/net/ipv4/conf/eth0.1/rp_filter", "2\n")
	p.write("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
	have, err := Machine{Root: p.root}.variables([]string{"net.ipv4.ip_forward", "net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.tcp_rmem", "net.ipv4.conf.*.rp_filter", "no.such"})
	want := map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.conf.eth0/1.rp_filter": "2", "net.ipv4.tcp_rmem": "4096 131072 6291456"}
	if diff := cmp.Diff(want, have); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
