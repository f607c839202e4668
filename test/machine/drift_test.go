package machine_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// driftNow is what the machine says of itself, one line for each finding.
func (m *life) driftNow(t *testing.T) (lines []string) {
	t.Helper()
	var report struct {
		Findings []struct {
			Kind, Name, Change, What string
		}
	}
	if err := json.Unmarshal([]byte(m.Run(t, "stet drift --json")), &report); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		lines = append(lines, strings.TrimSuffix(f.Change+" "+f.Kind+" "+f.Name+": "+f.What, ": "))
	}
	return lines
}

// byHand is what of the changes is state, or else than what a switch makes: an undo
// leaves it, and says what does undo it.
var byHand = []string{
	"modified unit nginx.service: has the drop-in 50-CPUWeight.conf: CPUWeight=50",
	"added scheduled crontab of ada: 1 entry",
	"added software /usr/local/bin/tool: of root",
}

// hasDriftOfState expects what isChanged did and no start undoes.
func (m *life) hasDriftOfState(t *testing.T) {
	if diff := cmp.Diff(byHand[2:], m.driftNow(t)); diff != "" {
		t.Error(diff)
	}
}

func (m *life) hasNotDrifted(t *testing.T) {
	if lines := m.driftNow(t); len(lines) > 0 {
		t.Errorf("nobody did anything, and there is drift:\n%s", strings.Join(lines, "\n"))
	}
	m.expect(t, "stet drift --exit-code", "hello is what generation 1 declares")
	if said, status := m.Try(t, "runuser -u ada -- stet drift 2>&1"); status != 1 || !strings.Contains(said, "run it as root: `sudo stet drift`") {
		t.Errorf("an ordinary user is told, with exit status %d: %s", status, said)
	}
}

// tellsWhatWasChanged holds what is told against what isChanged did.
func (m *life) tellsWhatWasChanged(t *testing.T) {
	// systemd-run takes what begins with a dollar for a variable.
	const listen = "@s = IO::Socket::INET->new(Listen => 1, LocalPort => 8080) or die; sleep"
	m.Run(t, "sysctl -qw net.ipv4.ip_forward=0; systemd-run --quiet --unit=left-over --uid=ada perl -MIO::Socket::INET -e '"+listen+"'; systemd-run --quiet --unit=broken false; until systemctl is-failed -q broken; do sleep 0.2; done")
	m.Run(t, "systemctl set-property --runtime nginx.service CPUWeight=50; mount -t tmpfs notes /mnt; systemctl mask --runtime rescue.service; echo '5 5 * * * true' | crontab -u ada -; until ss -Hltn | grep -q ':8080 '; do sleep 0.2; done")
	want := []string{
		"added file /etc/drift",
		"modified file /etc/motd",
		"added file /etc/new/deep/file",
		"deleted file /etc/nginx/mime.types",
		"added group intruder: gid 1001",
		"added user intruder: uid 1001, home /home/intruder",
		"added unit broken.service: has failed, and is written down nowhere",
		"modified unit hello.service: is disabled: multi-user.target no longer wants it",
		"added unit left-over.service: runs, and is written down nowhere",
		byHand[0],
		"modified unit rescue.service: is masked for this run",
		"added port 8080/tcp: perl of ada, in left-over.service",
		byHand[1],
		byHand[2],
		"added mount /mnt: notes (tmpfs), declared nowhere",
		"modified sysctl net.ipv4.ip_forward: 0, declared 1",
	}
	have := m.driftNow(t)
	for _, line := range want {
		if !slices.Contains(have, line) {
			t.Errorf("drift does not have: %s", line)
		}
	}
	for _, line := range have {
		if !slices.Contains(want, line) {
			t.Errorf("drift has, too: %s", line)
		}
	}
	// The first three lines are those that matter: who gets in, what can be reached, and
	// what runs (docs/drift.md).
	first := []string{"added user intruder: uid 1001, home /home/intruder", "added port 8080/tcp: perl of ada, in left-over.service", "added unit broken.service: has failed, and is written down nowhere"}
	if diff := cmp.Diff(first, have[:min(3, len(have))]); diff != "" {
		t.Errorf("what is told first: %s", diff)
	}
	said, status := m.Try(t, "stet drift --exit-code")
	if status != 3 || !strings.Contains(said, "      since ") || !strings.Contains(said, "-This machine is written down.\n") || !strings.Contains(said, "+changed\n") || !strings.Contains(said, "of nginx-common") {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

// undoesWhatWasChanged puts back all of it, and has what was files again.
func (m *life) undoesWhatWasChanged(t *testing.T) {
	if out, status := m.Try(t, "stet undo /etc/mot"); status != 2 || !strings.Contains(out, "/etc/mot is as declared") {
		t.Errorf("exit status %d: %s", status, out)
	}
	if out := m.Run(t, "stet undo --all 2>&1"); !strings.Contains(out, "crontab of ada stays; what undoes it: `crontab -u ada -r`") {
		t.Errorf("it does not say what it leaves: %s", out)
	}
	if diff := cmp.Diff(byHand, m.driftNow(t)); diff != "" {
		t.Errorf("after all was undone: %s", diff)
	}
	m.expect(t, "systemctl is-enabled hello.service; systemctl is-active hello.service nginx.service; sysctl -n net.ipv4.ip_forward", "enabled\nactive\nactive\n1")
	m.expect(t, "systemctl is-enabled rescue.service; findmnt /mnt || echo unmounted; ss -Hltn | grep ':8080 ' || echo closed", "static\nunmounted\nclosed")
	m.expect(t, "stet drift --all | sed -n '/no deviation/,$p' | grep -o -e 'added /etc/machine-id.*' -e 'added /etc/kept:.*'", "added /etc/kept: the machine is to keep it\nadded /etc/machine-id: the machine is to keep it")
	m.Run(t, "crontab -u ada -r; rm -r /run/systemd/system.control/nginx.service.d; systemctl daemon-reload")
	m.expect(t, "systemctl is-active left-over; systemctl is-system-running; getent passwd intruder || echo gone", "inactive\nrunning\ngone")
	m.expect(t, "getent shadow ada | cut -d: -f2; cat /etc/kept", hash+"\nkept")

	saved := m.Run(t, "stet drift --saved")
	for _, name := range []string{"/etc/drift", "/etc/motd", "/etc/new/deep/file", "/etc/passwd", "/etc/nginx/mime.types"} {
		if !strings.Contains(saved, "  "+name+"\n") {
			t.Errorf("%s is not saved:\n%s", name, saved)
		}
	}
	m.Run(t, "stet undo --revert")
	m.expect(t, "cat /etc/drift /etc/motd /etc/new/deep/file; getent passwd intruder | cut -d: -f1", "drift\nchanged\nx\nintruder")
	m.expect(t, "systemctl is-enabled hello.service; test -e /etc/nginx/mime.types || echo gone", "disabled\ngone")
}
