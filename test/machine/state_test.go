package machine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"stet/internal/ledger"
)

// tellsWhoseStateIs holds the ledger against what isChanged did, and takes one thing
// away and brings it back.
func (m *life) tellsWhoseStateIs(t *testing.T) {
	var report struct{ Entries []ledger.Entry }
	if err := json.Unmarshal([]byte(m.Run(t, "stet state --json 2>/dev/null")), &report); err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, e := range report.Entries {
		have[e.Path] = string(e.Standing) + ", " + e.Whose()
		if e.Standing != ledger.Owned {
			t.Logf("%s: %s", e.Path, have[e.Path])
		}
		if e.Standing == ledger.Orphan {
			t.Errorf("%s has lost its owner on a machine with one generation", e.Path)
		}
	}
	for path, want := range map[string]string{
		"/home/ada":           "owned, user ada",
		"/home/intruder":      "unknown, written by intruder",
		"/root":               "owned, user root",
		"/srv/www":            "owned, the configuration",
		"/usr/local/bin/tool": "unknown, written by root",
		"/var/lib/nginx":      "owned, nginx-common",
		"/var/lib/state":      "unknown, written by root",
		"/var/log/journal":    "owned, systemd",
	} {
		if have[path] != want {
			t.Errorf("%s: %q, want %q", path, have[path], want)
		}
	}

	m.expect(t, "stet state clean --yes 2>/dev/null", "nothing has lost its owner")
	if out, status := m.Try(t, "stet state clean /var/lib/state /usr/local/bin/tool </dev/null"); status != 3 || !strings.Contains(out, "/usr/local/bin/tool") {
		t.Errorf("exit status %d: %s", status, out)
	}
	m.Run(t, "chmod 750 /usr/local/bin/tool; stet state clean --yes /var/lib/state /usr/local/bin/tool")
	m.expect(t, "ls /var/lib/state /usr/local/bin/tool 2>/dev/null || echo gone", "gone")
	m.Run(t, "cd /stet/state/saved/archives && for a in *.tar.gz; do stet state restore $a || exit 1; done")
	m.expect(t, "cat /var/lib/state /usr/local/bin/tool; stat -c %a /usr/local/bin/tool", "state\ntool\n750")
}
