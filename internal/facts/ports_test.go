package facts

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/drift"
	"stet/internal/plan"
)

func TestPortsAndAllWhoHaveThemAreFound(t *testing.T) {
	p := newProc(t)
	p.write("etc/passwd", fmt.Sprintf("ada:x:%d:0::/home/ada:/bin/sh\n", os.Getuid()))
	p.write("proc/stat", "cpu 1 2 3\nbtime 1764150000\n")
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	p.write("proc/1/net/tcp", head+
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4001 1 0000000000000000 100 0 0 10 0\n"+
		"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4002 1 0000000000000000 100 0 0 10 0\n")
	p.write("proc/1/net/tcp6", head+
		"   0: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4004 1 0000000000000000 100 0 0 10 0\n"+
		"   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4005 1 0000000000000000 100 0 0 10 0\n")
	p.write("proc/1/net/udp", head+
		"  10: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 4006 2 0000000000000000 0\n"+
		"  11: 00000000:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 4007 2 0000000000000000 0\n")
	program := func(pid int, name, exe string, inodes ...int) {
		dir := fmt.Sprintf("proc/%d/", pid)
		p.write(dir+"comm", name+"\n")
		p.write(dir+"stat", fmt.Sprintf("%d (a b) c) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 100\n", pid))
		must(t, os.Symlink(exe, filepath.Join(p.root, dir, "exe")))
		must(t, os.Mkdir(filepath.Join(p.root, dir, "fd"), 0o755))
		must(t, os.Symlink("/dev/null", filepath.Join(p.root, dir, "fd/0")))
		for i, inode := range inodes {
			must(t, os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(p.root, dir, "fd", fmt.Sprint(i+3))))
		}
	}
	p.process(10, "user.slice/user-1000.slice/session-3.scope", "machine", machineMounts, "0:30 /usr/bin/python3.13")
	program(10, "python3", "/usr/bin/python3.13", 4001)
	p.process(11, "system.slice/tool.service", "machine", machineMounts, "254:0 /var/usrlocal/bin/tool")
	program(11, "tool", "/var/usrlocal/bin/tool (deleted)", 4004, 4005, 4005, 4003)
	p.process(12, "system.slice/tool.service", "machine", machineMounts, "254:0 /var/usrlocal/bin/tool")
	program(12, "tool", "/var/usrlocal/bin/tool", 4004, 4006)

	w, err := readProcesses(filepath.Join(p.root, "proc"))
	must(t, err)
	seen := &drift.Seen{}
	must(t, Machine{Root: p.root}.ports(plan.System{Trees: map[string]string{"usr": usrTree}}, w, seen))
	since := time.Unix(1764150000+123, 0).UTC()
	python := drift.Process{PID: 10, Name: "python3", User: "ada", Program: "/usr/bin/python3.13", Packaged: true, Unit: "session-3.scope", Since: since}
	tool := drift.Process{PID: 11, Name: "tool", User: "ada", Program: "/var/usrlocal/bin/tool (deleted)", Unit: "tool.service", Since: since}
	other := tool
	other.PID, other.Program = 12, "/var/usrlocal/bin/tool"
	want := []drift.Socket{
		{Protocol: "tcp", Address: netip.MustParseAddr("0.0.0.0"), Port: 22},
		{Protocol: "udp", Address: netip.MustParseAddr("0.0.0.0"), Port: 68, Holders: []drift.Process{other}},
		{Protocol: "tcp", Address: netip.MustParseAddr("127.0.0.1"), Port: 80, Holders: []drift.Process{tool}},
		{Protocol: "tcp", Address: netip.MustParseAddr("::1"), Port: 631, Holders: []drift.Process{tool, other}},
		{Protocol: "tcp", Address: netip.MustParseAddr("127.0.0.1"), Port: 8080, Holders: []drift.Process{python}},
	}
	if diff := cmp.Diff(want, seen.Sockets, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func FuzzStartTime(f *testing.F) {
	f.Add("1 (a) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 100")
	f.Fuzz(func(t *testing.T, text string) {
		if ticks, ok := startTime(text); ok && ticks < 0 {
			t.Errorf("%d", ticks)
		}
	})
}
