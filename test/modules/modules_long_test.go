//go:build long

package modules_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/test/guest"
	"stet/test/program"
)

// declared is what the machine has beside examples/minimal. Whoever comes by the
// bridge is a stranger to the firewall.
const declared = `name: minimal
base: minimal
kernel: {package: linux-image-cloud-amd64, parameters: [console=ttyS0]}
packages: [iproute2]
services:
  postgresql:
    settings: {shared_buffers: 16MB, jit: false, log_line_prefix: "it's %m "}
    roles: {root: {}, shop: {login: false}}
    databases: {shop: {owner: root, extensions: [pg_trgm]}}
firewall:
  allow: {open: {tcp: [7001]}}
timers:
  mark: {command: 'printf "%s\n" "100% of \"$HOME\"" "it''s" >/run/mark', on_boot_sec: 1s, accuracy_sec: 1s}
storage:
  tmpfs: {/srv/cache: {size: 64m, options: [noexec]}}
  swap: {/var/swap-1: {size: 64M, priority: 5}}
  zram: {zram_size: "64"}
network:
  dhcp: false
  bridges: {br0: {}}
  vlans: {office: {id: 10, link: br0}}
  interfaces:
    br0: {address: [198.51.100.1/24], extra: ConfigureWithoutCarrier=true}
    office: {address: [203.0.113.1/24], extra: ConfigureWithoutCarrier=true}
    wg0: {address: [10.9.0.1/24]}
  wireguard: {wg0: {listen_port: 51820, peers: {far: {public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=, allowed_ips: [10.9.0.2/32]}}}}
drift: {watch: [hourly], metrics: /run}
units:
  echo.socket: {enable: true, text: "[Socket]\nListenStream=7001\nListenStream=7002\nAccept=yes\n[Install]\nWantedBy=sockets.target\n"}
  "echo@.service": {text: "[Service]\nExecStart=-/usr/bin/cat\nStandardInput=socket\n"}
`

// patience is how long an emulated machine may take to boot, when the database is
// made and other tests run beside it.
const patience = 25 * time.Minute

func TestModulesDoWhatTheySay(t *testing.T) {
	p := program.Example(t, "minimal")
	if err := os.WriteFile(filepath.Join(p.Dir, "stet.yaml"), []byte(declared), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Must(t, "lock")
	m := guest.Start(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	state, err := m.WaitBooted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain; journalctl -b -p err --no-pager"))
	}
	for _, c := range []struct{ what, line, want string }{
		{"a database answers its owner", `psql -d shop -Atc "select current_user, (select extname from pg_extension where extname = 'pg_trgm')"`, "root|pg_trgm"},
		{"parameters hold", `psql -d shop -Atc "select current_setting('shared_buffers'), current_setting('jit'), current_setting('log_line_prefix')"`, "16MB|off|it's %m"},
		{"a role without login is one", `psql -d shop -Atc "select rolcanlogin from pg_roles where rolname = 'shop'"`, "f"},
		{"declaring again changes nothing", "systemctl restart postgresql-declared.service && systemctl is-active postgresql-declared.service", "active"},
		{"the firewall is there", "nft list chain inet firewall input", `tcp dport 7001 accept comment "open"`},
		{"a timer has run its command, every character of it", "timeout 60 sh -c 'until [ -e /run/mark ]; do sleep 1; done'; cat /run/mark", "100% of \"/root\"\nit's"},
		{"a file system in memory is there", "findmnt -no FSTYPE,SIZE,OPTIONS /srv/cache", "tmpfs"},
		{"it has its options", "findmnt -no OPTIONS /srv/cache", "noexec"},
		{"a swap file is used", "timeout 60 sh -c 'until swapon --noheadings --show=NAME | grep -q /var/swap-1; do sleep 1; done'; swapon --noheadings --show=NAME,SIZE,PRIO | tr -s ' '", "/var/swap-1 64M 5"},
		{"memory is compressed", "swapon --noheadings --show=NAME,SIZE,PRIO", "/dev/zram0"},
		{"a bridge has its address", "ip -br addr show br0", "198.51.100.1/24"},
		{"a VLAN has its number", "ip -d link show office", "vlan protocol 802.1Q id 10"},
		{"a VLAN has its address", "ip -br addr show office", "203.0.113.1/24"},
		{"a tunnel has a key and its peer", "wg show wg0", "peer: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="},
		{"nobody touched it", "stet drift", "minimal is what"},
		{"a watcher tells in the journal what nobody declared", "touch /etc/by-hand && systemctl start stet-drift.service && journalctl -b -o cat -u stet-drift.service", "new: file added /etc/by-hand"},
		{"it tells who logs in", "cat /run/motd.d/stet-drift", "`stet drift` says more."},
		{"it leaves metrics", "cat /run/stet.prom", `stet_drift_findings{kind="file"} 1`},
		{"it is content when all is as declared", "rm /etc/by-hand && stet drift --watch && ls /run/motd.d", ""},
		{"only networkd reads the key", "stat -c '%a %U:%G' /var/lib/wireguard/wg0.key", "640 root:systemd-network"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if have := m.Run(t, c.line); !strings.Contains(have, c.want) {
				t.Errorf("%s\nhave %s\nwant %s", c.line, have, c.want)
			}
		})
	}
	t.Run("a stranger comes in where it is allowed, and nowhere else", func(t *testing.T) {
		m.Run(t, `set -e
ip netns add out
ip link add veth0 type veth peer name veth1 netns out
ip link set veth0 master br0 up
ip -n out addr add 198.51.100.2/24 dev veth1
ip -n out link set veth1 up`)
		const come = `timeout 20 ip netns exec out bash -c 'exec 3<>/dev/tcp/198.51.100.1/%s && echo hello >&3 && head -n1 <&3'`
		if have := m.Run(t, strings.ReplaceAll(come, "%s", "7001")); have != "hello" {
			t.Errorf("the open port says %q", have)
		}
		if have, status := m.Try(t, strings.ReplaceAll(come, "%s", "7002")); status == 0 {
			t.Errorf("the closed port says %q", have)
		}
		m.Run(t, "bash -c 'exec 3<>/dev/tcp/127.0.0.1/7002'") // somebody listens there
	})
}
