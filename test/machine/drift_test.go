package machine_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
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
		"modified unit broken.service: has failed",
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
	m.Run(t, "systemctl stop left-over; systemctl reset-failed broken")
}
