package wrong_test

import (
	"os"
	"strings"
	"testing"

	"stet/test/loopback"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// screen is what a terminal shows at once.
const screen = 24

// refused holds a run to the rules for failures: the exit code, one screen
// that has all the words, and no panic.
func refused(t *testing.T, r program.Result, code int, words ...string) {
	t.Helper()
	said := strings.TrimSpace(r.Stderr)
	if r.Code != code {
		t.Errorf("exit code %d, not %d", r.Code, code)
	}
	var lines int
	for line := range strings.Lines(said) {
		lines += 1 + len(line)/100
	}
	if lines == 0 || lines > screen {
		t.Errorf("it says %d lines", lines)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("it does not say %q", word)
		}
	}
	for _, bad := range []string{"panic:", "goroutine ", "runtime error", "<nil>", "%!"} {
		if strings.Contains(said, bad) {
			t.Errorf("it says %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.Stdout, said)
	} else {
		lines := strings.Split(said, "\n")
		t.Log(lines[len(lines)-1])
	}
}
