//go:build long

package live_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/test/guest"
	"stet/test/program"
)

// standing is of `stet status --json` what the test looks at.
type standing struct {
	Generation struct{ Booted, Running, Default int }
	Health     struct{ State string }
	Tried      *struct{ Until *time.Time }
}

// stands compares what the machine says of itself: the page that it has, and the
// generations that were booted, run, and start next.
func stands(t *testing.T, m *guest.Machine, page string, booted, running, next int) {
	t.Helper()
	if have := m.Run(t, "cat /etc/page"); have != page {
		t.Errorf("the page is %q, want %q", have, page)
	}
	if s := status(t, m); s.Generation.Booted != booted || s.Generation.Running != running || s.Generation.Default != next || s.Health.State != "good" {
		t.Errorf("with the page %q the status is %+v, want booted %d, running %d, default %d", page, s, booted, running, next)
	}
}

func status(t *testing.T, m *guest.Machine) (s standing) {
	t.Helper()
	if err := json.Unmarshal([]byte(m.Run(t, "stet status --json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// rebooted reboots and waits until the boot was judged.
func rebooted(t *testing.T, m *guest.Machine) {
	t.Helper()
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state := m.Booted(t); state != "running" {
		t.Errorf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
}

// TestWhatIsKeptStartsNext is a machine with firmware, boot loader and an ESP. What
// a switch leaves starts next, what is tried does not; and what starts next can do so
// by a soft reboot.
func TestWhatIsKeptStartsNext(t *testing.T) {
	stet := program.Example(t, "minimal")
	text, err := os.ReadFile(filepath.Join(stet.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// What the machine says of itself when it is healthy is declared, too.
	base := string(text) + "\nhealth: {timeout: 20s, page: {command: \"! grep -q ill /etc/page || { echo the page is ill; exit 1; }\"}}\n"
	declare(t, stet, base, "first", "")
	first, disk := stet.Build(t), filepath.Join(t.TempDir(), "disk.raw")
	stet.Must(t, "image", "-o", disk)
	declare(t, stet, base, "second", "")
	second := sent(t, stet)
	declare(t, stet, base, "ill", "")
	ill := sent(t, stet)
	declare(t, stet, base, "first", "")
	again := sent(t, stet)
	declare(t, stet, strings.Replace(base, "[console=ttyS0]", "[console=ttyS0, other]", 1), "third", "")
	third := sent(t, stet)

	m := guest.StartDisk(t, first, disk)
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	stands(t, m, "first", 1, 1, 1)
	bring(t, m, second, "second")
	bring(t, m, ill, "ill")

	// One that is not well in its own opinion is left again, and never starts.
	if out, status := m.Try(t, "stet switch --from /run/ill"); status != 4 || !strings.Contains(out, "the page is ill") {
		t.Errorf("exit status %d: %s", status, out)
	}
	stands(t, m, "first", 1, 1, 1)

	// What is tried goes by itself, ...
	m.Run(t, "stet try --from /run/second --for 20s")
	if have := m.Run(t, "cat /etc/page"); have != "second" {
		t.Errorf("what is tried has the page %q", have)
	}
	if s := status(t, m); s.Tried == nil || s.Tried.Until == nil || s.Generation.Default != 1 {
		t.Errorf("while it is tried the status is %+v", s)
	}
	m.Run(t, "for i in $(seq 120); do grep -q first /etc/page && ! systemctl is-active -q stet-switch.service && exit; sleep 1; done; journalctl --no-pager -u 'stet-*' -n 40; exit 1")
	stands(t, m, "first", 1, 1, 1)
	if out, status := m.Try(t, "stet confirm"); status != 2 || !strings.Contains(out, "nothing is tried") {
		t.Errorf("exit status %d: %s", status, out)
	}
	// ... when somebody says so, ...
	m.Run(t, "stet try --from /run/second && grep second /etc/page && stet rollback")
	stands(t, m, "first", 1, 1, 1)
	// ... and when the machine starts anew.
	m.Run(t, "stet try --from /run/second && grep second /etc/page")
	rebooted(t, m)
	stands(t, m, "first", 1, 1, 1)

	// Confirmed, it starts next; so does what one goes back to.
	bring(t, m, second, "second") // it was in memory
	m.Run(t, "stet try --from /run/second --for 1h && stet confirm && ! systemctl is-active stet-revert.timer")
	stands(t, m, "second", 1, 2, 2)
	m.Run(t, "stet rollback")
	stands(t, m, "first", 1, 1, 3)
	m.Run(t, "stet switch --from /run/second")
	stands(t, m, "second", 1, 4, 4)
	rebooted(t, m)
	stands(t, m, "second", 4, 4, 4)
	if have := m.Run(t, "ls /efi/loader/entries | tr '\\n' ' '"); have != "stet-1.conf stet-2.conf stet-3.conf stet-4.conf" {
		t.Errorf("on the ESP there is %s", have)
	}
	m.Run(t, "stet verify --quick")

	bring(t, m, third, "third")
	bring(t, m, again, "first")
	startsSoftly(t, m)
	bring(t, m, ill, "ill")
	startsHarder(t, m)
}
