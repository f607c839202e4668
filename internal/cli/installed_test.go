package cli

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/state"
)

// TestOnlyRootAsksAMachine holds that an ordinary user is told so on a machine of
// Stet's, before anything is looked for in, or made in, a store of the user's own.
func TestOnlyRootAsksAMachine(t *testing.T) {
	record := state.Boot{Machine: "hello", System: running}.Bytes()
	machine := installed{root: t.TempDir()}
	machine.file(t, state.BootFile, string(record))
	ask := func(root string, args ...string) (code int, said string) {
		t.Helper()
		var out, problems bytes.Buffer
		code = Run(t.Context(), Environment{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems, Dir: t.TempDir(), Now: time.Now, User: 1000, Root: root,
			Getenv: func(name string) string {
				return map[string]string{"STET_STORE": filepath.Join(t.TempDir(), "own")}[name]
			},
			Enter: func() error { return errors.New("a namespace is entered") },
		}, args)
		return code, problems.String()
	}
	for _, line := range []string{
		"drift", "drift --json", "drift --saved", "drift --watch", "adopt --all", "undo /etc/motd", "status", "state", "state --saved",
		"state clean --yes /var/lib/old", "state restore x.tar.gz", "why /etc/motd", "plan", "plan --from /mnt", "switch", "boot", "try --for 5m",
		"try -p htop", "confirm", "rollback 1", "generations", "pin 1", "diff 1 2",
	} {
		want := "stet: what this machine is, only root can see\n  run it as root: `sudo stet " + line + "`\n"
		if code, said := ask(machine.root, strings.Fields(line)...); code != ExitFailed || said != want {
			t.Errorf("%s: exit code %d\n%s", line, code, said)
		}
		// Elsewhere it is as before: there the user's own store may be meant.
		if _, said := ask(t.TempDir(), strings.Fields(line)...); strings.Contains(said, "sudo") {
			t.Errorf("%s, on no machine of Stet's:\n%s", line, said)
		}
	}
	for _, line := range []string{"verify", "diff 0123456789ab 0123456789ac"} { // of any store
		if _, said := ask(machine.root, strings.Fields(line)...); !strings.Contains(said, "a namespace is entered") {
			t.Errorf("%s: %s", line, said)
		}
	}
	if _, said := ask(machine.root, "adopt", "--all", "-m", "What I've changed"); !strings.Contains(said, `sudo stet adopt --all -m 'What I'\''ve changed'`) {
		t.Errorf("it cannot be typed: %s", said)
	}
}

// TestWhoNeedsAnESP has machines by what their kernel says of their start.
func TestWhoNeedsAnESP(t *testing.T) {
	for name, c := range map[string]struct {
		commandLine string
		efi         bool
		want        bool
	}{
		"a machine with firmware of its own": {"stet.system=0 stet.generation=3", true, true},
		"a machine that was given a kernel":  {"stet.system=0 stet.generation=1", false, false},
		"a host that builds":                 {"quiet", true, false},
		"nobody knows which generation":      {"stet.generation=none", true, true},
	} {
		i := installed{root: t.TempDir()}
		i.file(t, "/proc/cmdline", c.commandLine)
		if c.efi {
			i.file(t, firmware+"/runtime", "0x0")
		}
		if have := i.wasStartedFromESP(); have != c.want {
			t.Errorf("%s: %v", name, have)
		}
	}
}
