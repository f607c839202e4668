package main

import (
	"context"
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

// switched is the machine that is changed: a web server whose unit has another
// limit in each of two systems. Ansible wants Python on it.
const switched = `name: switched
debian: {suite: trixie, components: [main], architecture: amd64}
base: minimal
kernel: {package: linux-image-cloud-amd64, parameters: [console=ttyS0]}
packages: [python3]
services:
  ssh: {permit_root_login: prohibit-password}
  nginx: {}
files:
  /etc/ssh/authorized_keys.d/root: {text: %q}
units:
  nginx.service: {drop_ins: {limit.conf: "[Service]\nLimitNOFILE=%d\n"}}
`

// byHand is what a person does who has written the file.
const byHand = "systemctl daemon-reload && systemctl restart nginx"

// ansibleTools is the machine that Ansible runs on, made before anything is timed.
const ansibleTools = `name: ansible-tools
debian: {suite: trixie, components: [main], architecture: amd64}
base: minimal
packages: [ansible-core, openssh-client]
`

// What Ansible is told: the same change, without asking for facts, by one
// connection that it keeps.
const (
	ansiblePlaybook = `- hosts: all
  gather_facts: false
  tasks:
    - name: the limit
      ansible.builtin.copy: {dest: /etc/systemd/system/nginx.service.d/limit.conf, content: "[Service]\nLimitNOFILE={{ limit }}\n", mode: "0644"}
      notify: restart
  handlers:
    - name: restart
      ansible.builtin.systemd_service: {name: nginx, state: restarted, daemon_reload: true}
`
	ansibleConfiguration = `[defaults]
host_key_checking = False
[ssh_connection]
pipelining = True
`
	ansibleInventory = "guest ansible_host=127.0.0.1 ansible_port=%d ansible_user=root ansible_ssh_private_key_file=/bench/key ansible_python_interpreter=/usr/bin/python3\n"
)

// changing is the machine, and who changes it from outside.
type changing struct {
	*vm.VM
	dir  string // has the key, and what Ansible reads
	root string // of the system that Ansible runs in
	port int    // by which sshd of the machine is reached
}

// switching changes one machine in turns: by `stet switch`, by hand, and by
// Ansible. In the machine it is the machine's own clock that counts.
func (b *bench) switching(ctx context.Context) (all []result, err error) {
	m, err := b.changing(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	var stet, hand, swap, unchanged, version, overSSH, ansible []float64
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
			if took, _, err = m.timed(ctx, byHand); err != nil {
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
			took, _, err := measure(m.ssh(ctx, "stet", "switch", "--from", "/mnt/"+name))
			if err != nil {
				return nil, err
			}
			overSSH = append(overSSH, took.wall)
		}
		for _, limit := range []string{"8192", "4096"} { // what the first system has comes last
			took, _, err := measure(inRoot(ctx, m.root, m.dir, "ansible-playbook", "-i", "inventory", "-e", "limit="+limit, "playbook.yaml"))
			if err != nil {
				return nil, err
			}
			ansible = append(ansible, took.wall)
		}
	}
	s := measured("switch: one file and its unit", "s", stet, 0)
	h := measured("the same by hand: "+byHand, "s", hand, 0)
	u := measured("switch: nothing changed", "s", unchanged, 0)
	v := measured("stet version, in the same machine", "s", version, 0)
	o := measured("switch: one file and its unit, over SSH", "s", overSSH, 0)
	a := measured("the same by Ansible", "s", ansible, 0)
	return []result{
		s, h, ratio("switch / by hand", s, h, switchFraction),
		measured("both systems' trees in place", "s", swap, swapLimit),
		u, v, ratio("switch, nothing changed / stet version", u, v, unchangedFraction),
		o, a, ratio("over SSH: switch / Ansible", o, a, 0),
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
	if _, _, err := measure(exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)); err != nil {
		return nil, err
	}
	public := readText(key + ".pub")
	first, err := b.locked(ctx, "switched", fmt.Sprintf(switched, public, 4096))
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
		if _, err := b.repository("switched", fmt.Sprintf(switched, public, limit)); err != nil {
			return nil, err
		}
		if _, _, err := b.runStet(ctx, first.repository, first.store, "send", "--to", filepath.Join(stick, name)); err != nil {
			return nil, err
		}
	}
	if _, _, err := measure(exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", stick, stick+".ext4", "4G")); err != nil {
		return nil, err
	}
	if m.root, err = b.rootOf(ctx, "ansible-tools", ansibleTools); err != nil {
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
		"playbook.yaml": ansiblePlaybook, "ansible.cfg": ansibleConfiguration, "inventory": fmt.Sprintf(ansibleInventory, port),
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
	answer, err := m.Exec(ctx, vm.Shell("began=$(date +%s%N)\n"+line+" || exit\ndate +%s%N >&2; echo $began >&2"))
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

// ssh runs a command in the machine, by a connection that it keeps, as Ansible does.
func (m *changing) ssh(ctx context.Context, command ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ssh", append([]string{
		"-i", filepath.Join(m.dir, "key"), "-p", strconv.Itoa(m.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "ControlPath=" + filepath.Join(m.dir, "%C"), "root@127.0.0.1",
	}, command...)...)
}
