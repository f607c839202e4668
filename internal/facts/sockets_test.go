package facts

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 501 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 502 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   101        0 503 1 0000000000000000 20 4 30 10 -1
   3: 00000000:0801 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 504 1 0000000000000000 100 0 0 10 0
`
	tcp6Table = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 601 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 602 1 0000000000000000 100 0 0 10 0
`
	udpTable = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   991        0 701 2 0000000000000000 0
`
)

func (p fakeProc) holds(pid int, program string, inodes ...int) {
	p.t.Helper()
	dir := filepath.Join(p.root, fmt.Sprint("proc/", pid))
	if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "exe")); err != nil {
		p.t.Fatal(err)
	}
	for n, inode := range inodes {
		if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(dir, "fd", fmt.Sprint(n))); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestWhoListens(t *testing.T) {
	p := newProc(t)
	p.write("proc/1/net/tcp", tcpTable)
	p.write("proc/1/net/tcp6", tcp6Table)
	p.write("proc/1/net/udp", udpTable)
	p.process(20, "system.slice/nginx.service", "machine", machineMounts)
	p.process(21, "system.slice/nginx.service", "machine", machineMounts)
	p.process(30, "system.slice/system-postgresql.slice/postgresql@17-main.service", "machine", machineMounts)
	p.process(40, "system.slice/resolved.service", "machine", machineMounts)
	p.holds(1, "/usr/lib/systemd/systemd", 601, 701)
	p.holds(20, "/usr/sbin/nginx", 502)
	p.holds(21, "/usr/sbin/nginx", 502, 503)
	p.holds(30, "/usr/lib/postgresql/17/bin/postgres (deleted)", 501, 602)
	p.holds(40, "/usr/lib/systemd/systemd-resolved", 701)
	have, err := Machine{Root: p.root}.Listening()
	if err != nil {
		t.Fatal(err)
	}
	const postgres, unit = "/usr/lib/postgresql/17/bin/postgres", "postgresql@17-main.service"
	want := []Socket{
		{22, "tcp", netip.IPv6Unspecified(), 1, "init.scope", "/usr/lib/systemd/systemd"},
		{53, "udp", netip.MustParseAddr("127.0.0.53"), 40, "resolved.service", "/usr/lib/systemd/systemd-resolved"},
		{80, "tcp", netip.IPv4Unspecified(), 20, "nginx.service", "/usr/sbin/nginx"},
		{2049, "tcp", netip.IPv4Unspecified(), 0, "", ""}, // the kernel's own
		{5432, "tcp", netip.MustParseAddr("127.0.0.1"), 30, unit, postgres},
		{5432, "tcp", netip.IPv6Loopback(), 30, unit, postgres},
	}
	if diff := cmp.Diff(want, have, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// TestThisMachinesKernelIsUnderstood listens itself, and finds itself.
func TestThisMachinesKernelIsUnderstood(t *testing.T) {
	dir := t.TempDir()
	for name, of := range map[string]string{"1/net": "/proc/self/net", fmt.Sprint(os.Getpid()): "/proc/self"} {
		at := filepath.Join(dir, "proc", name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(of, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // a host without IPv6
			continue
		}
		defer l.Close()
		is := netip.MustParseAddrPort(l.Addr().String())
		all, err := Machine{Root: dir}.Listening()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(s Socket) bool {
			return s.Port == is.Port() && s.Address == is.Addr() && s.PID == os.Getpid() && s.Program != ""
		}) {
			t.Errorf("%s is not among %v", is, all)
		}
	}
}

func FuzzParseSockets(f *testing.F) {
	for _, text := range []string{tcpTable, tcp6Table, udpTable, "", "\n0: 0:0 0 0A 0 0 0 0 0 0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseSockets(text, "tcp", "0A")
		if err != nil && len(all) > 0 {
			t.Error("half of a table is given")
		}
		for _, s := range all {
			if !s.Address.IsValid() {
				t.Errorf("%+v", s)
			}
		}
	})
}
