//go:build long

package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/fault"
	"stet/test/chance"
	"stet/test/nbd"
)

// alive is what a machine of one word has beside the others: a file in each tree that
// a switch replaces, and a unit that restarts for it.
const alive = `
files:
  /etc/motd: {text: "%[1]s\n"}
  /srv/%[1]s: {text: "%[1]s\n"}
units:
  word.service:
    enable: true
    text: |
      [Service]
      ExecStart=/usr/bin/tail -f /etc/motd
      [Install]
      WantedBy=multi-user.target
`

// lives declares a machine of a word, and gives its system, and a disk that has it.
func (h *host) lives(t *testing.T, word string) (system, disk string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.Dir, "stet.yaml"), fmt.Appendf([]byte(h.text), alive, word), 0o644); err != nil {
		t.Fatal(err)
	}
	return h.Build(t).Digest, h.sent(t)
}

// TestPowerCutsInASwitch is a machine that goes from one system to another and back.
// The power is cut at as many points of the way there as there are rounds, and at as
// many random moments: 17 rounds have every point. Until there is a boot entry the old
// system starts, and afterwards the new one; whichever it is has all that is its own,
// and what a person wrote before is saved.
func TestPowerCutsInASwitch(t *testing.T) {
	n := chance.Rounds(t, 6)
	dice := chance.Dice(t)

	h := newWarmHost(t)
	second, secondDisk := h.lives(t, "second")
	first, firstDisk := h.lives(t, "first")
	words := map[string]string{first: "first", second: "second"}
	image := filepath.Join(t.TempDir(), "disk.raw")
	h.Must(t, "image", "-o", image)

	attach := func(t *testing.T, disk *nbd.Disk) *machine {
		m := h.switchOn(t, disk, firstDisk, secondDisk)
		m.arrives(t)
		m.Run(t, "mkdir /run/first /run/second && mount -o ro /dev/disk/by-id/virtio-disk2 /run/first && mount -o ro /dev/disk/by-id/virtio-disk3 /run/second")
		return m
	}
	m := attach(t, plugIn(t, image))
	identity := m.Run(t, "cat /etc/machine-id")
	m.Run(t, "echo mine >/etc/mine && sync")

	var boots []cut
	points := where["TestPowerCutsInASwitch"]
	for _, p := range chance.Some(dice, points, n) {
		stood := m.halts(t, p, "stet switch --from /run/second")
		if stood == nil {
			t.Fatalf("stet switch did not come to %q", p)
		}
		next := first
		if slices.Index(points, p) >= slices.Index(points, fault.EntryPlaced) {
			next = second
		}
		c := cutPower(t, string(p), stood, dice.Uint64(), next)
		c.holds(t, h)
		boots = append(boots, c)
		m.Run(t, "while systemctl is-active -q stet-switch.service; do sleep 0.2; done; stet switch --from /run/first")
		if have := m.wholly(t, words); have != first {
			t.Fatalf("after %q it runs %.12s", p, have)
		}
	}

	clones := m.while(dice, n, 5*time.Second, func() { m.Run(t, "stet switch --from /run/second") })
	for i, clone := range clones {
		c := cutPower(t, fmt.Sprintf("switching %d", i), clone, dice.Uint64(), first, second)
		c.holds(t, h)
		boots = append(boots, c)
	}
	m.isWhole(t, h)

	// What is booted next needs the disks that this one has.
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	for i, c := range chance.Some(dice, boots, 1+n/5) {
		t.Run(fmt.Sprintf("boots after %s (%d)", c.when, i), func(t *testing.T) {
			t.Log(c.loss)
			m := attach(t, c.disk)
			if have := m.wholly(t, words); !slices.Contains(c.systems, have) {
				t.Errorf("it runs %.12s, want one of %.12s", have, c.systems)
			}
			if have := m.Run(t, "cat /etc/machine-id"); have != identity {
				t.Errorf("it is %s, and was %s", have, identity)
			}
			m.Run(t, "grep -q mine /stet/state/etc/*/upper/mine && stet switch --from /run/second")
			if have := m.wholly(t, words); have != second {
				t.Errorf("after the next switch it runs %.12s", have)
			}
			m.isWhole(t, h)
		})
	}
}

// wholly gives the system that runs. It fails unless every tree is of the same one, by
// the words that they have, and its unit runs.
func (m *machine) wholly(t *testing.T, words map[string]string) (system string) {
	t.Helper()
	system = m.Run(t, "cat /run/stet/system")
	word, known := words[system]
	if want := strings.Join([]string{word, word, word, "active"}, "\n"); !known || m.Run(t, "cat /etc/motd; ls /srv; cat /srv/*; systemctl is-active word.service") != want {
		t.Errorf("system %.12s, the %s one, has:\n%s", system, word, m.Run(t, "head /etc/motd /srv/*; systemctl status word.service; journalctl --no-pager -u 'stet-*' -n 40"))
	}
	return system
}
