package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/vm"
)

// What a switch is promised to take of the same change made by hand, in which a
// person writes the file and tells systemd; of `stet version`, where nothing is to
// be done; and the time in which trees of both systems are in their places, in
// seconds, even where the machine is emulated.
const (
	switchFraction    = 1.5
	unchangedFraction = 3
	swapLimit         = 0.02
)

// switchData describes the machine that is changed, what a person does by hand, and
// what Ansible is told.
//
//go:embed switch
var switchData embed.FS

// data is one of its files.
func data(name string) string {
	text, err := switchData.ReadFile("switch/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// changing is the machine, and who changes it from outside.
type changing struct {
	*vm.VM
	dir  string // has the key, and what Ansible reads
	root string // of the system that Ansible runs in
	port int    // of this host, that leads into the machine
}

// switching changes one machine in turns: by `stet switch`, by hand, and by
// Ansible. In the machine it is the machine's own clock that counts.
func (b *bench) switching(ctx context.Context) (all []result, err error) {
	m, err := b.changing(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	var stet, hand, swap, unchanged, version, outside, ansible []float64
	for i := range max(b.runs, 5) {
		say("switch, round %d of %d", i+1, max(b.runs, 5))
		for _, name := range []string{"second", "first"} {
			took, out, err := m.timed(ctx, "stet --json switch --from /mnt/"+name)
			if err != nil {
				return nil, err
			}
			var report struct {
				Swap float64 `json:"swap_seconds"`
			}
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				return nil, fmt.Errorf("%w: %s", err, out)
			}
			stet, swap = append(stet, took), append(swap, report.Swap)
			if took, _, err = m.timed(ctx, data("by-hand.sh")); err != nil {
				return nil, err
			}
			hand = append(hand, took)
		}
		for line, into := range map[string]*[]float64{"stet switch --from /mnt/first": &unchanged, "stet version": &version} {
			took, _, err := m.timed(ctx, line)
			if err != nil {
				return nil, err
			}
			*into = append(*into, took)
		}
		for _, name := range []string{"second", "first"} {
			took, _, err := measure(m.reach(ctx, "stet", "switch", "--from", "/mnt/"+name))
			if err != nil {
				return nil, err
			}
			outside = append(outside, took.Wall)
		}
		for _, limit := range []string{"8192", "4096"} { // what the first system has comes last
			took, _, err := measure(inRoot(ctx, m.root, m.dir, "ansible-playbook", "-i", "inventory", "-e", "limit="+limit, "playbook.yaml"))
			if err != nil {
				return nil, err
			}
			ansible = append(ansible, took.Wall)
		}
	}
	s := measured("switch: one file and its unit", "s", stet, 0)
	h := measured("the same by hand: systemctl daemon-reload, and a restart", "s", hand, 0)
	u := measured("switch: nothing changed", "s", unchanged, 0)
	v := measured("stet version, in the same machine", "s", version, 0)
	o := measured("switch: one file and its unit, from outside", "s", outside, 0)
	a := measured("the same by Ansible", "s", ansible, 0)
	return []result{
		s, h, ratio("switch / by hand", s, h, switchFraction),
		measured("both systems' trees in place", "s", swap, swapLimit),
		u, v, ratio("switch, nothing changed / stet version", u, v, unchangedFraction),
		o, a, ratio("from outside: switch / Ansible", o, a, 0),
	}, nil
}

// changing makes the two systems and what Ansible runs in, and boots the first as a
// disk of its own does, with all of the second there.
func (b *bench) changing(ctx context.Context) (*changing, error) {
	m := &changing{dir: filepath.Join(b.dir, "switching")}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return nil, err
	}
	key := filepath.Join(m.dir, "key")
	if _, _, err := measure(exec.CommandContext(ctx, "sh", "-c", data("key.sh"), "sh", key)); err != nil {
		return nil, err
	}
	public := readText(key + ".pub")
	first, err := b.locked(ctx, "switched", fmt.Sprintf(data("stet.yaml"), public, 4096))
	if err != nil {
		return nil, err
	}
	disk := filepath.Join(b.dir, "switched.raw")
	if _, _, err := b.runStet(ctx, first.repository, first.store, "image", "-o", disk); err != nil {
		return nil, err
	}
	kernel, err := b.built(ctx, first)
	if err != nil {
		return nil, err
	}
	stick := filepath.Join(b.dir, "switched.stick")
	for name, limit := range map[string]int{"first": 4096, "second": 8192} {
		if _, err := b.repository("switched", fmt.Sprintf(data("stet.yaml"), public, limit)); err != nil {
			return nil, err
		}
		if _, _, err := b.runStet(ctx, first.repository, first.store, "send", "--to", filepath.Join(stick, name)); err != nil {
			return nil, err
		}
	}
	if _, _, err := measure(exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", stick, stick+".ext4", "4G")); err != nil {
		return nil, err
	}
	if m.root, err = b.rootOf(ctx, "ansible-tools", data("tools.yaml")); err != nil {
		return nil, err
	}
	firmware, err := vm.OVMF()
	if err != nil {
		return nil, err
	}
	say("boot the machine that is changed")
	if m.VM, err = vm.Start(ctx, vm.Config{
		Name: "switched", Kernel: kernel.Kernel, Firmware: &firmware, Disk: disk, DiskSerial: "disk", MoreDisks: []string{stick + ".ext4"},
		RunDirectory: b.dir, Memory: 2 * guestMemory, CPUs: guestCPUs, Forwards: []vm.Forward{{GuestPort: 22}},
	}); err != nil {
		return nil, err
	}
	if err := errors.Join(m.begin(ctx), m.tellAnsible()); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// begin waits for the boot, and has the machine take both systems.
func (m *changing) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if _, err := m.WaitBooted(ctx); err != nil {
		return err
	}
	for _, line := range []string{
		"mount -o ro /dev/disk/by-id/virtio-disk2 /mnt",
		"stet switch --from /mnt/second && stet switch --from /mnt/first",
	} {
		if _, _, err := m.timed(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func (m *changing) tellAnsible() error {
	port, _ := m.ForwardedPort(22)
	m.port = port
	for name, text := range map[string]string{
		"playbook.yaml": data("playbook.yaml"), "ansible.cfg": data("ansible.cfg"), "inventory": fmt.Sprintf(data("inventory"), port),
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	unix.Sync()
	return nil
}

// timed runs a line of shell in the machine and gives the seconds that it took
// there, and what it printed.
func (m *changing) timed(ctx context.Context, line string) (float64, string, error) {
	answer, err := m.Exec(ctx, vm.Shell("began=$(date +%s%N)\n{ "+line+"\n} || exit\ndate +%s%N >&2; echo $began >&2"))
	if err != nil {
		return 0, "", err
	}
	said := strings.Fields(string(answer.Stderr))
	if answer.ExitStatus != 0 || len(said) < 2 {
		return 0, "", fmt.Errorf("%s: exit status %d\n%s%s", line, answer.ExitStatus, answer.Stdout, answer.Stderr)
	}
	began, err := strconv.ParseInt(said[len(said)-1], 10, 64)
	if err != nil {
		return 0, "", err
	}
	ended, err := strconv.ParseInt(said[len(said)-2], 10, 64)
	return time.Duration(ended - began).Seconds(), string(answer.Stdout), err
}

// reach runs a command in the machine, by a connection that it keeps.
func (m *changing) reach(ctx context.Context, command ...string) *exec.Cmd {
	args := []string{"-c", data("reach.sh"), "sh", filepath.Join(m.dir, "key"), strconv.Itoa(m.port), m.dir}
	return exec.CommandContext(ctx, "sh", append(args, command...)...)
}
