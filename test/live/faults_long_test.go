//go:build long

package live_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/fault"
	"stet/internal/vm"
	"stet/test/chance"
	"stet/test/guest"
	"stet/test/program"
)

// variants are systems by the name of what is special about them: what is declared
// beside examples/minimal.
var variants = map[string]string{
	"plain": "files: {/etc/word: {text: \"plain\\n\"}}\n",

	// It says that it is there in half a minute, or never.
	"slow": `
files: {/etc/word: {text: "slow\n"}}
units:
  slow.service:
    enable: true
    text: |
      [Service]
      Type=oneshot
      ExecStart=/usr/bin/sleep 30
      RemainAfterExit=yes
      [Install]
      WantedBy=multi-user.target
`,
	"hanging": `
files: {/etc/word: {text: "hanging\n"}}
units:
  hanging.service:
    enable: true
    text: |
      [Service]
      Type=notify
      ExecStart=/usr/bin/sleep infinity
      TimeoutStartSec=15s
      [Install]
      WantedBy=multi-user.target
`,
	"locked-out": `
files: {/etc/word: {text: "locked-out\n"}}
services: {ssh: {}}
units: {ssh.service: {drop_ins: {broken: "[Service]\nExecStartPre=/usr/bin/false\n"}}}
`,
	"another-uid": `
users: {ada: {uid: 1600}}
`,
	"uid": `
files: {/etc/word: {text: "uid\n"}}
users: {ada: {uid: 1500}}
`,
	// What has to be told of by others: the bus and its policies, udev, the
	// kernel's modules, accounts.
	"told": `
packages: [rtkit]
files:
  /etc/word: {text: "told\n"}
  /etc/udev/rules.d/99-told.rules: {text: "KERNEL==\"null\", SYMLINK+=\"told\"\n"}
  /etc/modules-load.d/told.conf: {text: "dummy\n"}
  /etc/sysctl.d/99-told.conf: {text: "kernel.panic=77\n"}
  /etc/tmpfiles.d/told.conf: {text: "d /var/lib/told 0700 ada ada\n"}
users: {ada: {uid: 1500}}
`,
}

// TestSwitchesUnderBadStars is one machine that goes from one system to another
// under all that may happen meanwhile.
func TestSwitchesUnderBadStars(t *testing.T) {
	stet := program.Example(t, "minimal")
	text, err := os.ReadFile(filepath.Join(stet.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	systems, lock := map[string]string{}, filepath.Join(stet.Dir, "stet.lock")
	committed, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	for name, more := range variants {
		// Each from the same lock: in one that follows another, no id would move.
		if err := os.WriteFile(lock, committed, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), append(text, more...), 0o644); err != nil {
			t.Fatal(err)
		}
		stet.Must(t, "lock")
		systems[name] = sent(t, stet)
	}
	if err := os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), append(text, "files: {/etc/word: {text: \"first\\n\"}}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	stet.Must(t, "lock")
	m := guest.Start(t, stet, func(c *vm.Config) { c.MoreDisks = []string{stick(t, systems)} })
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	m.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt")

	// switches tries, and says which word there is afterwards.
	switches := func(t *testing.T, to string, code int, said, word string) {
		t.Helper()
		out, status := m.Try(t, "stet switch --from /mnt/"+to)
		if status != code || !strings.Contains(out, said) {
			t.Errorf("to %s: exit status %d, want %d and %q:\n%s", to, status, code, said, out)
		}
		if have := m.Run(t, "cat /etc/word"); have != word {
			t.Errorf("to %s: then the word is %q, want %q", to, have, word)
		}
		if state := m.Run(t, "systemctl is-system-running || true"); state != "running" {
			t.Errorf("to %s: then the machine is %s\n%s", to, state, m.Run(t, "systemctl --failed --no-legend"))
		}
	}
	t.Run("a unit that hangs", func(t *testing.T) { switches(t, "hanging", 4, "hanging.service", "first") })
	t.Run("a server for logins that does not start", func(t *testing.T) { switches(t, "locked-out", 4, "ssh.service", "first") })
	t.Run("a full /run", func(t *testing.T) {
		m.Run(t, "head -c 10G /dev/zero >/run/full 2>/dev/null; ! echo x >/run/more")
		out, status := m.Try(t, "stet switch --from /mnt/plain")
		m.Run(t, "rm -f /run/full /run/more")
		if status == 0 || !strings.Contains(out, "no space left") {
			t.Errorf("exit status %d: %s", status, out)
		}
		switches(t, "plain", 0, "done", "plain")
	})
	t.Run("two at once, and a connection that drops", func(t *testing.T) {
		m.Run(t, "stet switch --from /mnt/slow >/run/said 2>&1 & echo $! >/run/waits; for i in $(seq 60); do systemctl is-active -q slow.service || systemctl list-jobs | grep -q slow.service && exit; sleep 1; done; cat /run/said; exit 1")
		if out, status := m.Try(t, "stet switch --from /mnt/plain"); status != 1 || !strings.Contains(out, "under way") {
			t.Errorf("a second one: exit status %d: %s", status, out)
		}
		m.Run(t, "kill -HUP $(cat /run/waits)")
		m.Run(t, "for i in $(seq 120); do test ! -e /run/stet/switch.json && ! systemctl is-active -q stet-switch.service && exit; sleep 1; done; journalctl -u stet-switch -n 40; exit 1")
		if have := m.Run(t, "cat /etc/word; systemctl is-active slow.service"); have != "slow\nactive" {
			t.Errorf("after the connection dropped: %s", have)
		}
	})
	t.Run("a stopped bus", func(t *testing.T) {
		m.Run(t, "systemctl stop dbus.socket dbus.service")
		switches(t, "uid", 0, "done", "uid")
		m.Run(t, "systemctl start dbus.socket; busctl list >/dev/null")
	})
	t.Run("another uid", func(t *testing.T) {
		switches(t, "another-uid", 3, "user ada has uid 1500, and 1600 in the new system", "uid")
	})
	t.Run("all have to be told", func(t *testing.T) {
		switches(t, "told", 0, "done", "told")
		for command, want := range map[string]string{
			"udevadm trigger --settle /dev/null && readlink /dev/told": "null",
			"grep -c '^dummy ' /proc/modules":                          "1",
			"cat /proc/sys/kernel/panic":                               "77",
			"stat -c '%U %a' /var/lib/told":                            "ada 700",
			"getent passwd rtkit | cut -d: -f1":                        "rtkit",
			"busctl call org.freedesktop.RealtimeKit1 /org/freedesktop/RealtimeKit1 org.freedesktop.DBus.Peer Ping && echo ok": "ok",
		} {
			if have, _ := m.Try(t, command); have != want {
				t.Errorf("%s: %q, want %q", command, have, want)
			}
		}
	})
	t.Run("killed at points of it", func(t *testing.T) {
		now, other := "told", "uid"
		points := slices.DeleteFunc(fault.Points(), func(p fault.Point) bool { return !strings.HasPrefix(string(p), "switch: ") })
		for i, p := range chance.Some(chance.Dice(t), points, chance.Rounds(t, 5)) {
			if out, status := m.Try(t, fmt.Sprintf("STET_FAULT=%q stet switch --from /mnt/%s", p, other)); status != 1 || !strings.Contains(out, "ended before it was done") {
				t.Errorf("killed at %q: exit status %d: %s", p, status, out)
			}
			// The next command finishes what was done, takes back what was not, and
			// does what it is asked to.
			if i%2 == 0 {
				switches(t, now, 0, "", now)
			}
			switches(t, other, 0, "", other)
			now, other = other, now
		}
	})
	t.Run("killed at random moments", func(t *testing.T) {
		dice := chance.Dice(t)
		now, other := "told", "uid"
		switches(t, now, 0, "", now)
		begin := time.Now()
		switches(t, other, 0, "", other)
		took := time.Since(begin)
		now, other = other, now
		for i := range chance.Rounds(t, 5) {
			// Who carries it out is killed, and every other time who asked for it, too.
			kill := "kill -9 $(cat /sys/fs/cgroup/system.slice/stet-switch.service/cgroup.procs)"
			if i%2 == 0 {
				kill = "pkill -KILL -x stet"
			}
			after := time.Duration(dice.Int64N(int64(took)))
			out := m.Run(t, fmt.Sprintf("stet switch --from /mnt/%s >/run/said 2>&1 & sleep %.3f; { %s; } 2>/dev/null; wait $!; echo $?; while systemctl is-active -q stet-switch.service; do sleep 0.2; done; cat /etc/word /run/said", other, after.Seconds(), kill))
			t.Logf("killed after %s: %s", after, out)
			switch i % 3 {
			case 0:
				switches(t, now, 0, "", now)
			case 1: // what a person sees who only looks
				m.Try(t, "stet status")
			}
			switches(t, other, 0, "", other)
			now, other = other, now
		}
	})
}
