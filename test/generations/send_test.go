package generations_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"stet/test/program"
)

// A built system goes over a pipe to another store, as over ssh to a machine.
func TestASystemIsSentOverACommand(t *testing.T) {
	stet := program.Example(t, "minimal")
	built := stet.Build(t)
	there := filepath.Join(t.TempDir(), "stet")
	over := fmt.Sprintf("STET_STORE=%s %s receive", there, stet.Path)
	for _, again := range []bool{false, true} {
		var sent struct {
			Machine, System string
			Files           int
			Bytes           int64
		}
		r := stet.Must(t, "send", "--over", over, "--json")
		must(t, json.Unmarshal([]byte(r.Stdout), &sent))
		if sent.Machine != "minimal" || sent.System != built.Digest || (sent.Files == 0) != again {
			t.Errorf("%+v", sent)
		}
	}
	stet.With("STET_STORE="+there).Must(t, "verify")
	// Nothing is staged yet, and collecting keeps it all the same.
	gone := stet.With("STET_STORE="+there).Must(t, "gc", "--json")
	if !strings.Contains(gone.Stdout, `"objects": 0`) {
		t.Errorf("gc: %s", gone.Stdout)
	}
	if r := stet.Run(t, "send", "--over", "exit 7"); r.Code != 1 || !strings.Contains(r.Stderr, "ended before it took the system: exit status 7") {
		t.Errorf("%d: %s", r.Code, r.Stderr)
	}
	if r := stet.Run(t, "send", "--over", over, "--boot"); r.Code != 1 || !strings.Contains(r.Stderr, "the other end says: no ESP is mounted") {
		t.Errorf("%d: %s", r.Code, r.Stderr)
	}
}
