//go:build long

package machine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"stet/test/program"
)

// trialed is what `stet test --json` prints.
type trialed struct {
	OK      bool
	Machine string
	Booted  *time.Time
	Tests   []struct {
		Name  string
		Steps []struct {
			What, Output, Failure string
			Passed                bool
		}
	}
	Failure  *struct{ Error string }
	Machines []trialed
}

// output is what a step of the first test wrote.
func (r trialed) output(step int) string { return strings.TrimSpace(r.Tests[0].Steps[step].Output) }

// tested is a repository whose tests are written anew now and then.
type tested struct {
	program.Program
	system string // what of its description is no test
}

// declare gives the machine other tests.
func (p tested) declare(t *testing.T, steps ...string) {
	t.Helper()
	text := p.system + "\ntests:\n  it:\n"
	for _, step := range steps {
		text += "    - " + step + "\n"
	}
	if err := os.WriteFile(filepath.Join(p.Dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p tested) test(t *testing.T, args ...string) (trialed, program.Result) {
	t.Helper()
	var report trialed
	r := p.Must(t, append([]string{"test", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, r.Stdout)
	}
	t.Logf("%.1f s, begun at the state of %v\n%s", r.Took.Seconds(), report.Booted, r.Stderr)
	return report, r
}

const (
	bootID  = "{run: cat /proc/sys/kernel/random/boot_id}"
	newID   = "{run: cat /proc/sys/kernel/random/uuid}"
	noLeak  = "{run: test ! -e /etc/leak && test ! -e /var/leak && test ! -e /run/leak}"
	leak    = "{run: echo leak | tee /etc/leak /var/leak >/run/leak && sync}"
	running = "{run: systemctl is-system-running, expect: running}"
)

// servers are what others reach on ports, and little to boot.
const servers = `
files:
  /usr/lib/page: {mode: "0755", text: "#!/bin/sh\nsed -n '/^.$/q'\nprintf 'HTTP/1.0 200 OK\\r\\n\\r\\nwritten down'\n"}
units:
  page.socket: {text: "[Socket]\nListenStream=80\nAccept=yes\n[Install]\nWantedBy=sockets.target\n", enable: true}
  page@.service: {text: "[Service]\nExecStart=/usr/lib/page\nStandardInput=socket\n"}
  name.socket: {text: "[Socket]\nListenStream=22\nAccept=yes\n[Install]\nWantedBy=sockets.target\n", enable: true}
  name@.service: {text: "[Service]\nExecStart=/usr/bin/echo SSH-2\nStandardInput=socket\n"}`

// TestTestsBeginWhereTheMachineHadBooted tests a machine again and again, with
// other tests, in all ways in which its state could be of no use.
func TestTestsBeginWhereTheMachineHadBooted(t *testing.T) {
	p := tested{Program: program.Example(t, "minimal")}
	text, err := os.ReadFile(filepath.Join(p.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.system, _, _ = strings.Cut(strings.Replace(string(text), "dhcp: false", "dhcp: true", 1), "\ntests:\n")
	p.system += servers

	steps := []string{bootID, newID, noLeak, leak, running}
	p.declare(t, steps...)
	p.Must(t, "lock")
	first, boot := p.test(t)
	if first.Booted != nil {
		t.Errorf("a machine that was never booted began at %v", first.Booted)
	}
	same, quick := p.test(t)
	if same.Booted == nil || same.output(0) != first.output(0) {
		t.Errorf("began at %v with the boot id %s, before %s", same.Booted, same.output(0), first.output(0))
	}
	if same.output(1) == first.output(1) {
		t.Errorf("both machines drew the random number %s", same.output(1))
	}
	if quick.Took > boot.Took/2 || quick.CPU > boot.CPU/2 {
		t.Errorf("without a boot it took %v and %v of a processor, with it %v and %v", quick.Took, quick.CPU, boot.Took, boot.CPU)
	}

	t.Run("other tests with other ports", func(t *testing.T) { p.others(t, first) })
	t.Run("what is wrong elsewhere is not the state's fault", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		r := p.Run(t, "test", "--forward", port+":80")
		if r.Code != 1 || !strings.Contains(r.Stderr, "in use") || len(p.kept(t, "state.json")) != 1 {
			t.Errorf("ended with %d; kept are %v\n%s", r.Code, p.kept(t, "state.json"), r.Stderr)
		}
	})
	p.declare(t, steps...)
	t.Run("anew when what is kept is damaged", func(t *testing.T) {
		flip(t, p.kept(t, "memory")[0])
		r := p.Must(t, "test")
		if !strings.Contains(r.Stderr, "minimal booted anew: the state that was kept cannot be used: ") || !strings.Contains(r.Stderr, "memory is damaged") {
			t.Errorf("stet says\n%s", r.Stderr)
		}
		if again, _ := p.test(t); again.Booted == nil || again.output(0) == first.output(0) {
			t.Errorf("afterwards it began at %v", again.Booted)
		}
	})
	t.Run("anew when QEMU refuses what is kept", func(t *testing.T) {
		p.forge(t)
		r := p.Must(t, "test")
		if !strings.Contains(r.Stderr, "minimal booted anew: the state that was kept cannot be used: ") {
			t.Errorf("stet says\n%s", r.Stderr)
		}
	})
	t.Run("anew when the system is another one; where a unit had failed, it has failed", func(t *testing.T) {
		broken := `  broken.service: {text: "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n", enable: true}`
		p.system += "\n" + broken
		p.declare(t, `{run: systemctl is-failed broken.service, expect: failed}`, `{run: "systemctl is-system-running || true", expect: degraded}`)
		changed, _ := p.test(t)
		if changed.Booted != nil || len(p.kept(t, "state.json")) != 1 {
			t.Errorf("began at %v; kept are %v", changed.Booted, p.kept(t, "state.json"))
		}
		if degraded, _ := p.test(t); degraded.Booted == nil {
			t.Error("it booted again")
		}
	})
	t.Run("anew when it is asked for", func(t *testing.T) {
		fresh, _ := p.test(t, "--fresh")
		if fresh.Booted != nil || len(p.kept(t, "state.json")) != 0 {
			t.Errorf("began at %v; kept are %v", fresh.Booted, p.kept(t, "state.json"))
		}
	})
}

// others changes the tests, reboots among them, and looks at the clock.
func (p tested) others(t *testing.T, first trialed) {
	p.declare(t, bootID, noLeak, "{run: date +%s.%N}",
		"wait_for: {port: 80}", "wait_for: {port: 22}",
		`{run: "curl -fsS http://127.0.0.1:$STET_PORT_80/", from: host, expect: written down}`,
		`{run: "bash -c 'read -r line </dev/tcp/127.0.0.1/$STET_PORT_22; echo $line'", from: host, expect: SSH-2}`,
		leak, "reboot: true", bootID, "{run: cat /var/leak}", running)
	before := time.Now()
	r, _ := p.test(t, "--forward", "8000")
	after := time.Now()
	if r.Booted == nil || r.output(0) != first.output(0) {
		t.Errorf("began at %v with boot id %s", r.Booted, r.output(0))
	}
	clock, err := strconv.ParseFloat(r.output(2), 64)
	if at := time.UnixMicro(int64(clock * 1e6)); err != nil || at.Before(before) || at.After(after) {
		t.Errorf("its clock says %v between %v and %v (%v)", at, before, after, err)
	}
	if r.output(9) == r.output(0) || r.output(10) != "leak" {
		t.Errorf("after a reboot the boot id is %s, and in /var is %q", r.output(9), r.output(10))
	}
}

// kept gives the files of a name that are kept for this repository.
func (p tested) kept(t *testing.T, name string) (files []string) {
	t.Helper()
	owners, _ := filepath.Glob(filepath.Join(p.Store(t), "booted", "*", "repository"))
	for _, owner := range owners {
		text, _ := os.ReadFile(owner)
		file := filepath.Join(filepath.Dir(owner), name)
		if _, err := os.Stat(file); err == nil && string(text) == p.Dir {
			files = append(files, file)
		}
	}
	return files
}

// forge keeps something else than a machine's memory, as if it had always been there.
func (p tested) forge(t *testing.T) {
	t.Helper()
	memory, err := os.ReadFile(p.kept(t, "memory")[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := func() string { return fmt.Sprintf("%x", sha256.Sum256(memory)) }
	was := sum()
	copy(memory, "no stream of QEMU's")
	record := p.kept(t, "state.json")[0]
	text, err := os.ReadFile(record)
	if err == nil {
		text = bytes.ReplaceAll(text, []byte(was), []byte(sum()))
		err = errors.Join(os.WriteFile(p.kept(t, "memory")[0], memory, 0o600), os.WriteFile(record, text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flip changes a byte in the middle of a file.
func flip(t *testing.T, name string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at, one := info.Size()/2, make([]byte, 1)
	if _, err := file.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte{one[0] ^ 1}, at); err != nil {
		t.Fatal(err)
	}
}
