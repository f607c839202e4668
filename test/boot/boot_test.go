package boot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/sandbox"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// said wants words in a text, in this order.
func said(t *testing.T, text string, words ...string) {
	t.Helper()
	rest := text
	for _, word := range words {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Errorf("it does not say %q, or not there:\n%s", word, text)
			return
		}
		rest = after
	}
}

// A command ends as it does in the guest; and a machine that stet vm starts has not
// drifted, and knows where it was written.
func TestACommandEndsAsItDoesInTheGuest(t *testing.T) {
	stet := program.Example(t, "minimal")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, append(text, "\nfiles: {/etc/motd: {text: \"declared\\n\"}}\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := stet.Run(t, "vm", "--exec", "echo out; echo err >&2; id -u; systemctl is-system-running --wait >/dev/null; stet drift; echo changed >/etc/motd; stet drift --exit-code; echo ends with $?; exit 7")
	if r.Code != 7 || !strings.HasPrefix(r.Stdout, "out\n0\n") || !strings.Contains(r.Stderr, "err\n") {
		t.Errorf("exit code %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
	}
	said(t, r.Stdout, "minimal is what generation 1 declares", "modified /etc/motd", fmt.Sprintf("stet.yaml:%d:20 declares it", strings.Count(string(text), "\n")+2), "-declared", "+changed", "ends with 3")
}

// declared are tests of every kind of step, two of which fail.
const declared = `
  a: # what passes
    - wait_for: {unit: multi-user.target}
    - {run: "id -un; echo lost >/etc/lost; echo kept >/var/lib/kept; sync", expect: root}
    - {run: "test -e stet.yaml && echo here >seen", from: host}
    - reboot: true
    - {run: "cat /var/lib/kept; test ! -e /etc/lost && echo gone", expect: gone}
  b: # what does not
    - {run: "echo two; echo words; exit 3"}
    - {run: "true"}
  c:
    - {run: "sleep 600", timeout: 2s}
`

func TestDeclaredTestsAreCarriedOut(t *testing.T) {
	stet := program.Example(t, "minimal")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "\ntests:")
	if !found {
		t.Fatal("examples/minimal declares no tests")
	}
	if err := os.WriteFile(name, []byte(before+"\ntests:"+declared), 0o644); err != nil {
		t.Fatal(err)
	}
	r := stet.Run(t, "test")
	if r.Code != 1 {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
	said(t, r.Stdout,
		"passed a (", "passed  1. ", "passed  2. ", "passed  3. ", "passed  4. ", "passed  5. ",
		"FAILED b (", "FAILED  1. ", "3", "| two", "| words", "skipped 2. ",
		"FAILED c (", "FAILED  1. ", "2s")
	if have, err := os.ReadFile(filepath.Join(stet.Dir, "seen")); err != nil || string(have) != "here\n" {
		t.Errorf("the step of the host left %q, %v", have, err)
	}
}
