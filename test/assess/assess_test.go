//go:build long

package assess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/sandbox"
	"stet/internal/vm"
	"stet/test/chance"
	"stet/test/guest"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// sickness makes a generation fail as a word of its entry says. Everything else
// of it is that of a generation that works.
const sickness = `
health: {timeout: 30s, page: {command: "! grep -q sick=page /proc/cmdline || { echo no page; exit 22; }"}}
units:
  sick.service:
    enable: true
    text: |
      [Service]
      Type=oneshot
      ExecStart=/usr/lib/sick
      [Install]
      WantedBy=multi-user.target
files:
  /usr/lib/sick:
    mode: "0755"
    text: |
      #!/bin/sh
      case " $(cat /proc/cmdline) " in
      *" sick=unit "*) exit 1 ;;
      *" sick=crash "*) kill -SEGV 1 ;;
      *" sick=panic "*) echo c >/proc/sysrq-trigger ;;
      *" sick=hang "*)
        # The deadline is minutes away; here it is now.
        mkdir -p /run/systemd/system/stet-deadline.timer.d
        printf '[Timer]\nOnActiveSec=\nOnActiveSec=2\n' >/run/systemd/system/stet-deadline.timer.d/now.conf
        systemctl daemon-reload && systemctl restart stet-deadline.timer
        sleep infinity ;;
      esac
`

// bootTime is what one boot may take on a busy host, by firmware, loader and an
// emulated processor.
const bootTime = 5 * time.Minute

// life is a machine with what the test needs to know of it.
type life struct {
	*guest.Machine
	system string
}

func start(t *testing.T) *life {
	p := program.Example(t, "minimal")
	config := filepath.Join(p.Dir, "stet.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, sickness...), 0o644); err != nil {
		t.Fatal(err)
	}
	built := p.Build(t)
	disk := filepath.Join(t.TempDir(), "disk.raw")
	p.Must(t, "image", "-o", disk)
	// Of a parameter that is there twice the last counts; a minute less for each
	// panic.
	return &life{guest.StartDisk(t, built, disk, func(c *vm.Config) { c.CommandLine = "panic=1" }), built.Digest}
}

func TestGenerationsThatFail(t *testing.T) {
	m := start(t)
	m.arrives(t, 1)
	t.Run("the first is good", func(t *testing.T) {
		if state, _ := m.Try(t, "systemctl is-active boot-complete.target"); state != "active" {
			t.Fatalf("boot-complete.target is %s\n%s", state, m.Run(t, "stet status; journalctl -b -p warning --no-pager"))
		}
		m.expect(t, "ls /stet/generations/1", "good\nrecord.json")
		if s := m.status(t); s.Generation.Booted != 1 || s.Generation.Default != 1 || s.Health.State != "good" || len(s.Failed) != 0 {
			t.Errorf("the status is %+v", s)
		}
		if output, _ := m.Try(t, "cat /run/motd.d/stet; systemctl --failed --no-legend"); !strings.Contains(output, "No such file") {
			t.Errorf("there is a notice, or a failed unit:\n%s", output)
		}
	})

	m.generation(t, 2, 2, "sick=page")
	begin := time.Now()
	m.restart(t)
	m.arrives(t, 1)
	t.Logf("two tries and the way back took %.0f s", time.Since(begin).Seconds())
	t.Run("an unhealthy one goes back within its tries", func(t *testing.T) {
		m.expect(t, "ls /efi/loader/entries", "stet-1.conf\nstet-2+0-2.conf")
		m.expect(t, "cat /stet/generations/2/failed", "page: ! grep -q sick=page /proc/cmdline || { echo no page; exit 22; }: exit status 22: no page")
		if s := m.status(t); len(s.Failed) != 1 || s.Failed[0].Number != 2 || s.Generation.Default != 1 {
			t.Errorf("the status is %+v", s)
		}
	})
	t.Run("the login says so", func(t *testing.T) {
		m.readsAtLogin(t, "Generation 2 failed: page:", "This machine runs generation 1.")
	})

	// As many as there are rounds, one after the other, each with its last try, from
	// the newest down: each is a boot.
	kinds := chance.Some(chance.Dice(t), []struct{ words, why string }{
		{"sick=unit", "no failed unit: sick.service failed"},
		{"sick=hang", "it did not come up in time: …sick.service did not finish starting"}, // on a busy host others, too
		{"sick=panic", ""},
		{"sick=crash", ""},
		{"", "none of its tries reached the journal: its kernel or its init did not start"}, // stet-init finds no such system
		{"rdinit=/none", "none of its tries reached the journal: its kernel or its init did not start"},
	}, chance.Rounds(t, 6))
	for i, kind := range kinds {
		number := 3 + i
		m.generation(t, number, 1, kind.words)
		if kind.words == "" {
			m.Run(t, fmt.Sprintf("sed -i 's/stet.system=[0-9a-f]*/stet.system=%s/' /efi/loader/entries/stet-%d+1.conf", strings.Repeat("f", 64), number))
		}
	}
	begin = time.Now()
	m.restart(t)
	m.arrives(t, 1)
	t.Logf("%d generations that fail took %.0f s", len(kinds), time.Since(begin).Seconds())
	for i, kind := range kinds {
		t.Run("another failed by "+kind.words, func(t *testing.T) {
			number := 3 + i
			m.Run(t, fmt.Sprintf("test -e /efi/loader/entries/stet-%d+0-1.conf", number))
			why := m.Run(t, fmt.Sprintf("cat /stet/generations/%d/failed", number))
			begin, end, _ := strings.Cut(kind.why, "…")
			if !strings.HasPrefix(why, begin) || !strings.HasSuffix(why, end) || why == "" {
				t.Errorf("it failed because of %q, want %q", why, kind.why)
			}
			t.Log(why)
		})
	}

	m.generation(t, 20, 3, "")
	m.restart(t)
	m.arrives(t, 20)
	t.Run("a good one has no counter, and gets none", func(t *testing.T) {
		m.expect(t, "ls /efi/loader/entries | grep stet-20", "stet-20.conf")
		m.expect(t, "ls /stet/generations/20", "good\nrecord.json")
		m.Run(t, "systemctl restart stet-good.service") // again in the same boot
		m.expect(t, "ls /efi/loader/entries | grep stet-20", "stet-20.conf")
		if output, _ := m.Try(t, "cat /run/motd.d/stet"); !strings.Contains(output, "No such file") {
			t.Errorf("the notice of generations before it stays:\n%s", output)
		}
	})

	// A good one that falls ill later stays: nobody counts any more.
	m.Run(t, "sed -i '/^options/s/$/ sick=page/' /efi/loader/entries/stet-20.conf && sync")
	m.restart(t)
	m.arrives(t, 20)
	t.Run("a good one that falls ill stays, and says so", func(t *testing.T) {
		m.expect(t, "ls /efi/loader/entries | grep stet-20", "stet-20.conf")
		if s := m.status(t); s.Health.State != "unwell" || s.Generation.Booted != 20 {
			t.Errorf("the status is %+v", s)
		}
		if notice := m.Run(t, "cat /run/motd.d/stet"); !strings.HasPrefix(notice, "This machine is not well: page:") {
			t.Errorf("the notice is\n%s", notice)
		}
		if output, status := m.Try(t, "systemctl start stet-health.service; journalctl -b -u stet-health.service -o cat"); status != 0 || !strings.Contains(output, "it stays, because it was good before") {
			t.Errorf("the journal has\n%s", output)
		}
	})
}

// generation adds one with the system that runs, and an entry with tries left
// and more words.
func (m *life) generation(t *testing.T, number, tries int, words string) {
	t.Helper()
	m.Run(t, fmt.Sprintf(`set -e
cd /stet/generations && mkdir %[1]d && sed 's/"number": 1,/"number": %[1]d,/' 1/record.json >%[1]d/record.json
cd /efi/loader/entries && sed -e 's/^version 1$/version %[1]d/' -e 's|stet.generation=1|stet.generation=%[1]d %[3]s|' stet-1.conf >stet-%[1]d+%[2]d.conf
sync`, number, tries, words))
}

// restart reboots and does not wait for what comes.
func (m *life) restart(t *testing.T) {
	t.Helper()
	if output, status := m.Try(t, "systemctl reboot --no-block"); status != 0 {
		t.Fatal(output)
	}
}

// arrives waits, over as many boots as that takes, until a generation has come up
// and was judged.
func (m *life) arrives(t *testing.T, number int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*bootTime)
	defer cancel()
	line := fmt.Sprintf(`grep -q 'stet.generation=%d\( \|$\)' /proc/cmdline && test "$(systemctl list-jobs --no-legend)" = "" && systemctl is-active multi-user.target`, number)
	for {
		brief, done := context.WithTimeout(ctx, time.Minute)
		result, err := m.Exec(brief, vm.Shell(line))
		done()
		if err == nil && result.ExitStatus == 0 {
			return
		}
		if errors.Is(err, vm.ErrOff) {
			t.Fatal(err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatalf("generation %d did not come up: %v %+v", number, err, result)
		}
	}
}

// expect compares what a command prints.
func (m *life) expect(t *testing.T, line, want string) {
	t.Helper()
	if have := m.Run(t, line); have != want {
		t.Errorf("%s\nhave %s\nwant %s", line, have, want)
	}
}

// status is of `stet status --json` what the test looks at.
type status struct {
	Generation struct{ Booted, Running, Default int }
	Health     struct{ State string }
	Failed     []struct {
		Number int
		Why    string
	}
}

func (m *life) status(t *testing.T) (s status) {
	t.Helper()
	if err := json.Unmarshal([]byte(m.Run(t, "stet status --json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// readsAtLogin logs root in on the serial console, and wants words there.
func (m *life) readsAtLogin(t *testing.T, words ...string) {
	t.Helper()
	before := len(m.SerialLog())
	m.Run(t, `mkdir -p /run/systemd/system/serial-getty@ttyS0.service.d
printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 - vt100\n' >/run/systemd/system/serial-getty@ttyS0.service.d/login.conf
systemctl daemon-reload && systemctl restart serial-getty@ttyS0`)
	said := ""
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		log := m.SerialLog()
		said = string(log[min(before, len(log)):])
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(said, word) }) {
			return
		}
	}
	t.Errorf("at login one reads\n%s", said)
}
