package live_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
	"stet/test/guest"
	"stet/test/loopback"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// declared is what the machine has beside examples/minimal. What the page says
// is in /etc, and in the content of a file of /srv, which /usr has.
const declared = `
files:
  /etc/page: {text: "%[1]s\n"}
  /srv/www/index.html: {text: "%[1]s\n"}
units:
  page.service:
    enable: true
    text: |
      [Service]
      ExecStart=/usr/bin/tail -f /etc/page
      %[2]s

      [Install]
      WantedBy=multi-user.target
  careful.service:
    enable: true
    text: |
      [Service]
      ExecStart=/usr/bin/sleep infinity
      ProtectSystem=full

      [Install]
      WantedBy=multi-user.target
`

// declare writes what the machine is to be.
func declare(t *testing.T, p program.Program, base, page, more string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, "stet.yaml"), []byte(base+fmt.Sprintf(declared, page, more)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sent builds the machine and sends it to a directory.
func sent(t *testing.T, p program.Program) string {
	t.Helper()
	dir := t.TempDir()
	p.Must(t, "send", "--to", dir)
	return dir
}

// bring gives the guest a system as /run/NAME, without what it has already.
func bring(t *testing.T, m *guest.Machine, system, name string) {
	t.Helper()
	for has := range strings.Lines(m.Run(t, "cd /stet && find objects images trees -type f") + "\n") {
		at := filepath.Join(system, strings.TrimSpace(has))
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	tar := exec.CommandContext(t.Context(), "tar", "-C", system, "-c", ".")
	out, err := tar.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(t.Context(), "/run/"+name+".tar", 0o600, out); err != nil {
		t.Fatal(err)
	}
	if err := tar.Wait(); err != nil {
		t.Fatal(err)
	}
	m.Run(t, fmt.Sprintf("mkdir -m 700 /run/%[1]s && tar -C /run/%[1]s -xf /run/%[1]s.tar && rm /run/%[1]s.tar", name))
}

// planned asks the guest for a plan.
func planned(t *testing.T, m *guest.Machine, from string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse([]byte(m.Run(t, "stet plan --json --from "+from+" 2>/dev/null")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// jobs gives the jobs of units that systemd ended since a cursor of the journal,
// "verb unit", sorted. The switch is a unit, too, but not the machine's.
func jobs(t *testing.T, m *guest.Machine, cursor string) []string {
	t.Helper()
	out := m.Run(t, "journalctl --sync; journalctl --quiet --output=json --after-cursor='"+cursor+"' _PID=1")
	var all []string
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var entry struct {
			Unit   string `json:"UNIT"`
			Type   string `json:"JOB_TYPE"`
			Result string `json:"JOB_RESULT"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Result != "" && entry.Unit != "stet-switch.service" {
			all = append(all, entry.Type+" "+entry.Unit+" "+entry.Result)
		}
	}
	slices.Sort(all)
	return all
}

// wanted are the jobs of a plan: a restart is a stop and then a start, as systemd
// logs it.
func wanted(p *plan.Plan) []string {
	var all []string
	for _, u := range p.Units {
		switch u.Action {
		case plan.Stop:
			all = append(all, "stop "+u.Name+" done")
		case plan.StopStart:
			all = append(all, "stop "+u.Name+" done", "start "+u.Name+" done")
		case plan.Restart:
			all = append(all, "restart "+u.Name+" done", "start "+u.Name+" done")
		case plan.Reload, plan.Start:
			all = append(all, string(u.Action)+" "+u.Name+" done")
		}
	}
	slices.Sort(all)
	return all
}

func cursor(t *testing.T, m *guest.Machine) string {
	t.Helper()
	out := m.Run(t, "journalctl --sync; journalctl --quiet --lines=1 --show-cursor --output=cat | sed -n 's/^-- cursor: //p'")
	return strings.TrimSpace(out)
}

func TestAMachineChangesWhileItRuns(t *testing.T) {
	stet := program.Example(t, "minimal")
	text, err := os.ReadFile(filepath.Join(stet.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	base := string(text)
	declare(t, stet, base, "third", "ExecStartPre=/usr/bin/false")
	broken := sent(t, stet)
	declare(t, stet, base, "second", "")
	second := sent(t, stet)
	declare(t, stet, base, "first", "")

	m := guest.Start(t, stet)
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	bring(t, m, second, "second")
	bring(t, m, broken, "broken")
	boot := m.Run(t, "cat /proc/sys/kernel/random/boot_id")
	pid := func(unit string) string { return m.Run(t, "systemctl show --property=MainPID --value "+unit) }
	page, careful := pid("page.service"), pid("careful.service")

	p := planned(t, m, "/run/second")
	t.Logf("kind %s, units %+v, protect %v, debt %+v", p.Kind, p.Units, p.Protect, p.Debt)
	if i := slices.IndexFunc(p.Units, func(u plan.Unit) bool { return u.Name == "page.service" }); i < 0 || p.Units[i].Action != plan.Restart {
		t.Errorf("page.service is not restarted: %+v", p.Units)
	}
	if !slices.Contains(p.Protect, plan.UnitName{Name: "careful.service"}) {
		t.Errorf("nothing keeps careful.service from writing to the new /etc: %+v", p.Protect)
	}
	at, begin := cursor(t, m), time.Now()
	m.Run(t, "stet switch --from /run/second >/run/report 2>&1 || { cat /run/report; journalctl --no-pager -u stet-switch -n 40; exit 1; }")
	t.Logf("the switch took %v and says:\n%s", time.Since(begin), m.Run(t, "cat /run/report"))
	if diff := cmp.Diff(wanted(p), jobs(t, m, at)); diff != "" {
		t.Errorf("the journal is not the plan: %s", diff)
	}
	for command, want := range map[string]string{
		"cat /etc/page /srv/www/index.html":       "second\nsecond",
		"cat /proc/sys/kernel/random/boot_id":     boot,
		"systemctl is-system-running":             "running",
		"cat /run/stet/system":                    p.New,
		"ls -A /run/stet | grep -e switch -e job": "switch.lock",
		"nsenter -t " + careful + " -m sh -c 'cat /etc/page; touch /etc/x 2>/dev/null || echo read-only'": "second\nread-only",
		"modprobe --dry-run --verbose dummy >/dev/null && echo found":                                     "found",
	} {
		if have := m.Run(t, command); have != want {
			t.Errorf("%s: %q, want %q", command, have, want)
		}
	}
	if pid("careful.service") != careful || pid("page.service") == page {
		t.Errorf("main processes: careful.service %s before and %s after, page.service %s and %s", careful, pid("careful.service"), page, pid("page.service"))
	}
	if out, status := m.Try(t, "stet plan --exit-code --from /run/second"); status != 0 || !strings.Contains(out, "nothing to do") {
		t.Errorf("after the switch there is something to do (%d): %s", status, out)
	}

	// One whose page does not start: the machine goes back.
	out, status := m.Try(t, "stet switch --from /run/broken")
	t.Logf("a system that does not start: %d, %s", status, out)
	if status != 4 || !strings.Contains(out, "page.service") {
		t.Errorf("exit status %d: %s", status, out)
	}
	if have := m.Run(t, "cat /etc/page /srv/www/index.html; systemctl is-active page.service careful.service; cat /run/stet/system"); have != "second\nsecond\nactive\nactive\n"+p.New {
		t.Errorf("after going back: %s", have)
	}

	// What a person writes is saved before it goes, and a conflict is theirs to
	// decide.
	m.Run(t, "echo mine >/etc/page")
	if out, status := m.Try(t, "stet switch --from /run/broken"); status != 3 || !strings.Contains(out, "/etc/page") {
		t.Errorf("exit status %d: %s", status, out)
	}
	m.Run(t, "stet switch --from /run/second")
	if have := m.Run(t, "cat /etc/page; grep -rl mine /stet/state/etc/*/upper/page | wc -l"); have != "second\n1" {
		t.Errorf("after drift was undone: %s", have)
	}
}
