//go:build long

package fleet_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stet/internal/vm"
	"stet/test/program"
)

// declared are tests of four machines: one passes, one fails, one cannot be built
// because its package is not locked, and one says nothing of itself.
const declared = `package stet

machines: {
	web1: tests: page: [{wait_for: port: 80}, {run: "cat /etc/hostname", expect: "web1"}]
	time1: tests: host: [{run: "cat /etc/hostname", expect: "web1"}]
	time2: {packages: hello: {}, tests: host: [{run: "true"}]}
}
`

// TestSeveralMachinesAreTestedAtOnce tests those of the fleet that declare tests.
func TestSeveralMachinesAreTestedAtOnce(t *testing.T) {
	p := program.Example(t, "fleet")
	if err := os.WriteFile(filepath.Join(p.Dir, "tests.cue"), []byte(declared), 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.Run(t, "test", "--all")
	t.Logf("%.1f s\n%s%s", r.Took.Seconds(), r.Stdout, r.Stderr)
	if r.Code != 1 {
		t.Errorf("it ended with %d", r.Code)
	}
	var verdicts []string
	for line := range strings.Lines(r.Stdout) {
		if strings.HasSuffix(line, ": passed\n") || strings.HasSuffix(line, ": FAILED\n") {
			verdicts = append(verdicts, strings.TrimSpace(line))
		}
	}
	if want := []string{"time1: FAILED", "time2: FAILED", "web1: passed"}; !slices.Equal(verdicts, want) {
		t.Errorf("got %q, want %q", verdicts, want)
	}
	for text, in := range map[string]string{"time2 was not tested:": r.Stderr, "`stet lock` resolves it": r.Stderr, `expected "web1" in the output`: r.Stdout} {
		if !strings.Contains(in, text) {
			t.Errorf("nothing says %q", text)
		}
	}

	t.Run("as JSON", func(t *testing.T) {
		r := p.Run(t, "test", "--json", "web1", "time1")
		var report struct {
			OK       bool
			Machines []struct {
				OK      bool
				Machine string
				Booted  *time.Time
			}
		}
		if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
			t.Fatalf("%v\n%s", err, r.Stdout)
		}
		t.Logf("%.1f s from where both had booted", r.Took.Seconds())
		m := report.Machines
		if r.Code != 1 || report.OK || len(m) != 2 || m[0].Machine != "time1" || m[0].OK || m[0].Booted == nil || !m[1].OK || m[1].Booted == nil {
			t.Errorf("ended with %d: %+v", r.Code, report)
		}
	})
	t.Run("until Ctrl-C", func(t *testing.T) { interrupted(t, p) })
}

// interrupted ends the tests while their machines boot: none stays.
func interrupted(t *testing.T, p program.Program) {
	cmd := p.Command(t.Context(), "test", "--fresh", "web1", "time1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	atOnce, err := vm.AtOnce(1024)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the machines run", func() bool { return len(guests(p, t)) == min(atOnce, 2) })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	if left := guests(p, t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// guests are the processes of QEMU that run the two machines of this store.
func guests(p program.Program, t *testing.T) []string {
	out, _ := exec.Command("pgrep", "-f", "--", "-name stet-(web1|time1) .*"+p.Store(t)).Output() // fails when there is none
	return strings.Fields(string(out))
}
