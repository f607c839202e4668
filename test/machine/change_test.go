package machine_test

import (
	"slices"
	"strings"
	"testing"
)

// hash is a password's, as a person's passwd(1) would leave it.
const hash = "$6$stetstet$Qm1sQnqf5hVYqM2XHq5u8m3E0zq1v8v6w0Zb1TzM7m0C3r3b9gq8l2k0x4y5z6A7B8C9D0E1F2G3H4I5J6K7L/"

// isChanged does what people do to a machine.
func (m *life) isChanged(t *testing.T) {
	for _, line := range []string{
		"echo drift >/etc/drift",
		"echo changed >/etc/motd",
		"rm /etc/nginx/mime.types",
		"mkdir -p /etc/new/deep && echo x >/etc/new/deep/file",
		"echo kept >/etc/kept",
		"echo ada:'" + hash + "' | chpasswd -e",
		"useradd -m intruder",
		"systemctl disable hello.service",
		"echo state >/var/lib/state",
		"echo mine >/home/ada/mine && chown ada: /home/ada/mine",
		"echo tool >/usr/local/bin/tool",
		"echo note >/root/note",
	} {
		m.Run(t, line)
	}
}

func (m *life) hasForgotten(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"test -e /etc/drift || echo gone", "gone"},
		{"test -e /etc/new || echo gone", "gone"},
		{"cat /etc/motd", "This machine is written down."},
		{"test -e /etc/nginx/mime.types && echo back", "back"},
		{"systemctl is-enabled hello.service", "enabled"},
		{"getent passwd intruder || echo gone", "gone"},
		{"getent group intruder || echo gone", "gone"},
		{"grep -c intruder /etc/shadow /etc/gshadow /etc/subuid /etc/subgid || true", "/etc/shadow:0\n/etc/gshadow:0\n/etc/subuid:0\n/etc/subgid:0"},
	} {
		m.expect(t, c.line, c.want)
	}

	// What was forgotten is kept in the upper layer of the previous boot.
	before, paths := m.upper(t, 1)
	for _, want := range []string{"drift", "motd", "new/deep/file", "nginx/mime.types", "passwd"} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s lacks %s", before, want)
		}
	}
	m.expect(t, "cat "+before+"/drift", "drift")
	m.expect(t, "stat -c '%F %t %T' "+before+"/nginx/mime.types", "character special file 0 0")

	// The upper layer of this boot has what is persisted, and the accounts
	// whose password belongs to their user.
	_, have := m.upper(t, 0)
	want := append(slices.Clone(persisted), "kept", "shadow")
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the upper layer of /etc has %q\nwant %q", have, want)
	}
}

func (m *life) hasKept(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"cat /etc/kept", "kept"},
		{"cat /var/lib/state", "state"},
		{"cat /home/ada/mine", "mine"},
		{"ls -d /home/intruder", "/home/intruder"}, // files are never removed with their owner
		{"cat /usr/local/bin/tool", "tool"},
		{"cat /root/note", "note"},
		{"getent shadow ada | cut -d: -f2", hash},
		{"stat -c '%U:%G %a' /etc/shadow", "root:shadow 640"},
		{"journalctl --list-boots -o json | grep -c boot_id", "1"}, // on one line
	} {
		m.expect(t, c.line, c.want)
	}
}

// wentDownCleanly reads the console of all boots but those that the emulator
// broke, which say nothing about the machine.
func (m *life) wentDownCleanly(t *testing.T) {
	log := withoutBroken(string(m.SerialLog()))
	for line := range strings.Lines(log) {
		if strings.Contains(line, "systemd-ssh-generator") {
			continue // an emulated guest has no AF_VSOCK
		}
		for _, bad := range []string{"FAILED", "Failed to", "Not all", "panic", "Oops", "I/O error", "EXT4-fs error", "timed out"} {
			if strings.Contains(line, bad) {
				t.Errorf("the console says %s", strings.TrimSpace(line))
			}
		}
	}
	if !strings.Contains(log, "Power down") {
		t.Error("the console does not end with the power switched off")
	}
}

// withoutBroken leaves out of a console's output the boots that QEMU's emulation
// broke, each from the kernel's first line to what internal/vm says of it.
func withoutBroken(log string) string {
	const first, last = "Linux version ", "QEMU's emulation broke the guest's kernel; booting again"
	for {
		broken, after, found := strings.Cut(log, last)
		if !found {
			return log
		}
		log = broken[:max(0, strings.LastIndex(broken, first))] + after
	}
}

func TestWithoutBroken(t *testing.T) {
	const broken = "Linux version 6.12\nOops: int3: 0000\nstet: QEMU's emulation broke the guest's kernel; booting again\n"
	for _, c := range []struct{ log, want string }{
		{"Linux version 6.12\nOops: of its own\n", "Linux version 6.12\nOops: of its own\n"},
		{broken + broken + "Linux version 6.12\nPower down\n", "\n\nLinux version 6.12\nPower down\n"},
		{"Linux version 6.12\nPower down\n" + broken, "Linux version 6.12\nPower down\n\n"},
		{"Oops: int3: 0000, far behind the first line\nQEMU's emulation broke the guest's kernel; booting again", ""},
	} {
		if got := withoutBroken(c.log); got != c.want {
			t.Errorf("withoutBroken(%q) = %q, want %q", c.log, got, c.want)
		}
	}
}
