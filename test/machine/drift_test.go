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

func (m *life) hasNotDrifted(t *testing.T) {
	if lines := m.driftNow(t); len(lines) > 0 {
		t.Errorf("nobody did anything, and there is drift:\n%s", strings.Join(lines, "\n"))
	}
	m.expect(t, "stet drift --exit-code", "hello is what generation 1 declares")
}

// tellsWhatWasChanged holds what is told against what isChanged did.
func (m *life) tellsWhatWasChanged(t *testing.T) {
	m.Run(t, "sysctl -qw net.ipv4.ip_forward=0; systemd-run --quiet --unit=left-over sleep infinity; systemd-run --quiet --unit=broken false; until systemctl is-failed -q broken; do sleep 0.2; done")
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
	said, status := m.Try(t, "stet drift --exit-code")
	if status != 3 || !strings.Contains(said, "-This machine is written down.\n") || !strings.Contains(said, "+changed\n") || !strings.Contains(said, "of nginx-common") {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

// undoesWhatWasChanged puts back first a part of it, and then all; and has what was
// files again.
func (m *life) undoesWhatWasChanged(t *testing.T) {
	before := m.driftNow(t)
	if out, status := m.Try(t, "stet undo /etc/mot"); status != 2 || !strings.Contains(out, "/etc/mot is as declared") {
		t.Errorf("exit status %d: %s", status, out)
	}
	m.Run(t, "stet undo hello.service net.ipv4.ip_forward /etc/nginx")
	m.expect(t, "systemctl is-enabled hello.service; systemctl is-active hello.service nginx.service; sysctl -n net.ipv4.ip_forward", "enabled\nactive\nactive\n1")
	want := slices.DeleteFunc(slices.Clone(before), func(line string) bool {
		return strings.Contains(line, "hello.service") || strings.Contains(line, "ip_forward") || strings.Contains(line, "mime.types")
	})
	if diff := cmp.Diff(want, m.driftNow(t)); diff != "" {
		t.Errorf("after a part was undone: %s", diff)
	}

	m.Run(t, "stet undo --all")
	m.hasNotDrifted(t)
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
	m.Run(t, "systemctl disable hello.service; rm /etc/nginx/mime.types")
}
