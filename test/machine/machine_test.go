package machine_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"stet/internal/sandbox"
	"stet/internal/vm"
	"stet/test/example"
	"stet/test/guest"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// life is a machine with what the test needs to know of it.
type life struct {
	*guest.Machine
	login    ssh.Signer
	hostKey  ssh.PublicKey // of the first login
	identity string        // machine-id and host keys of the first boot
}

// persisted are the paths of /etc that hello carries from boot to boot, beside
// the one that this test declares.
var persisted = []string{
	"machine-id", "ssh",
	"ssh/ssh_host_ecdsa_key", "ssh/ssh_host_ecdsa_key.pub",
	"ssh/ssh_host_ed25519_key", "ssh/ssh_host_ed25519_key.pub",
	"ssh/ssh_host_rsa_key", "ssh/ssh_host_rsa_key.pub",
}

func TestMachine(t *testing.T) {
	stet := program.Example(t, "hello")
	login := declareLogin(t, filepath.Join(stet.Dir, "stet.yaml"))
	begin := time.Now()
	m := &life{login: login, Machine: guest.Start(t, stet, func(c *vm.Config) {
		c.Forwards = []vm.Forward{{GuestPort: 22}, {GuestPort: 80}}
	})}

	// The power fails as soon as the machine has made its keys, which no disk
	// has seen yet.
	m.wait(t, "stet-identity.service")
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	m.switchOn(t)
	t.Logf("booted, cut off and booted in %.0f s", time.Since(begin).Seconds())
	t.Run("boots whole after losing power in its first boot", m.runs)
	m.identity = m.readIdentity(t)
	t.Run("has a whole identity", m.hasWholeIdentity)
	t.Run("changes nothing in /etc by itself", m.hasCleanEtc)
	t.Run("serves its page to the host", m.servesPage)
	t.Run("lets nothing write to /usr", m.refusesWrites)
	t.Run("has the modules of its kernel", m.hasModules)
	t.Run("has every package whole", func(t *testing.T) { m.verifiesPackages(t, stet) })
	t.Run("is as declared", m.isAsDeclared)
	t.Run("is quiet about Stet", m.isQuiet)
	t.Run("lets its user log in", m.logsIn)
	t.Run("tells at login what there is to tell", m.isToldAtLogin)
	t.Run("tells where things come from", m.tellsWhereThingsComeFrom)
	t.Run("has not drifted", m.hasNotDrifted)
	t.Run("takes what people change", m.isChanged)
	t.Run("tells what was changed", m.tellsWhatWasChanged)
	t.Run("tells whose its state is", m.tellsWhoseStateIs)
	t.Run("undoes what was changed", m.undoesWhatWasChanged)

	// The power fails once more, instead of a reboot: a boot costs a minute.
	m.Run(t, "echo flushed >/var/lib/flushed && sync && echo lost >/etc/unsaved")
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	m.switchOn(t)
	t.Run("runs after losing power", m.runs)
	t.Run("has what had reached the disk", func(t *testing.T) {
		m.expect(t, "cat /var/lib/flushed", "flushed")
		m.expect(t, "test -e /etc/unsaved || echo gone", "gone")
	})
	t.Run("is still itself", m.isStillItself)
	t.Run("has forgotten what was not declared", m.hasForgotten)
	t.Run("has no drift but in its state", m.hasDriftOfState)
	t.Run("has kept what is state", m.hasKept)
	t.Run("still serves its page", m.servesPage)
	t.Run("still lets its user log in", m.logsIn)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := m.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	t.Run("goes down without a complaint", m.wentDownCleanly)
}

// declareLogin gives the user a key of which the test has the private half,
// and one more path of /etc to keep.
func declareLogin(t *testing.T, name string) ssh.Signer {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`ssh_keys: \[.*\]`)
	if !keys.Match(text) {
		t.Fatalf("%s declares no ssh_keys", name)
	}
	text = keys.ReplaceAll(text, fmt.Appendf(nil, "ssh_keys: [%q]", line))
	text = append(text, "\npersist: [/etc/kept]\n"...)
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return signer
}

func (m *life) wait(t *testing.T, unit string) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	if err := m.WaitForUnit(ctx, unit); err != nil {
		t.Fatal(err)
	}
}

func (m *life) switchOn(t *testing.T) {
	if err := m.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Booted(t)
}

// expect compares what a command prints.
func (m *life) expect(t *testing.T, line, want string) {
	t.Helper()
	if have := m.Run(t, line); have != want {
		t.Errorf("%s\nhave %s\nwant %s", line, have, want)
	}
}

func (m *life) runs(t *testing.T) {
	if state, _ := m.Try(t, "systemctl is-system-running"); state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain; journalctl -b -p err --no-pager"))
	}
}

func (m *life) readIdentity(t *testing.T) string {
	return m.Run(t, "cat /etc/machine-id && cd /etc/ssh && sha256sum ssh_host_*")
}

func (m *life) isStillItself(t *testing.T) {
	if have := m.readIdentity(t); have != m.identity {
		t.Errorf("have %s\nwant %s", have, m.identity)
	}
}

func (m *life) hasWholeIdentity(t *testing.T) {
	if id := m.Run(t, "cat /etc/machine-id"); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		t.Errorf("machine-id is %q", id)
	}
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		// ssh-keygen derives the public key; it must be the one beside it.
		m.Run(t, fmt.Sprintf("cd /etc/ssh && ssh-keygen -y -f ssh_host_%[1]s_key | cut -d' ' -f2 | grep -qF \"$(cut -d' ' -f2 ssh_host_%[1]s_key.pub)\"", kind))
	}
	if text := m.Run(t, "systemctl cat stet-identity.service"); !strings.Contains(text, "ssh-keygen -A") {
		t.Errorf("stet-identity.service does not make host keys:\n%s", text)
	}
}

// upper lists the upper layer of /etc of a boot, counted back from the last.
func (m *life) upper(t *testing.T, back int) (directory string, paths []string) {
	numbers := strings.Fields(m.Run(t, "ls /stet/state/etc | sort -n"))
	if len(numbers) <= back {
		t.Fatalf("there are uppers of %d boots", len(numbers))
	}
	directory = "/stet/state/etc/" + numbers[len(numbers)-1-back] + "/upper"
	for _, path := range strings.Fields(m.Run(t, "cd "+directory+" && find . -mindepth 1 | sort")) {
		paths = append(paths, strings.TrimPrefix(path, "./"))
	}
	return directory, paths
}

func (m *life) hasCleanEtc(t *testing.T) {
	if _, have := m.upper(t, 0); !slices.Equal(have, persisted) {
		t.Errorf("the upper layer of /etc has %q\nwant %q", have, persisted)
	}
}

func (m *life) servesPage(t *testing.T) {
	client := http.Client{Timeout: time.Minute}
	response, err := client.Get("http://" + m.ForwardedAddress(80) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	have, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := example.Dir("hello")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("the page is\n%s\nwant\n%s", have, want)
	}
}

func (m *life) refusesWrites(t *testing.T) {
	for _, attempt := range []string{
		"touch /usr/new",
		"rm /usr/bin/curl",
		"echo x >>/usr/bin/curl",
		"chmod 0777 /usr/bin/curl",
		"mv /usr/bin/curl /usr/bin/other",
		"touch /usr/lib/modules/new",
		"mount -o remount,rw /usr",
	} {
		if output, status := m.Try(t, attempt); status == 0 {
			t.Errorf("%s: succeeded\n%s", attempt, output)
		}
	}
	// The mount can be made writable; what is mounted cannot.
	m.Try(t, "mount -o remount,bind,rw /usr")
	if output, status := m.Try(t, "touch /usr/new"); status == 0 {
		t.Errorf("after a remount /usr can be written\n%s", output)
	}
	m.Try(t, "mount -o remount,bind,ro /usr")
	m.expect(t, "findmnt -no FSTYPE,OPTIONS /usr | grep -o '^overlay *ro'", "overlay ro")
}

func (m *life) hasModules(t *testing.T) {
	m.expect(t, "findmnt -T /usr/lib/modules -no TARGET", "/usr")
	m.expect(t, "ls /usr/lib/modules", m.Run(t, "uname -r"))
	m.Run(t, "modprobe dummy && grep -q '^dummy ' /proc/modules && rmmod dummy")
}

// All packages are read where nobody emulates a processor, and in the machine those
// that have files in its /etc.
func (m *life) verifiesPackages(t *testing.T, stet program.Program) {
	if output := stet.Must(t, "shell", "--", "dpkg", "-V").Stdout; output != "" {
		t.Errorf("in stet shell, dpkg -V: %s", output)
	}
	if output, status := m.Try(t, "dpkg -V base-files openssh-server nginx-common libpam-runtime systemd"); status != 0 || output != "" {
		t.Errorf("dpkg -V: exit status %d\n%s", status, output)
	}
	m.expect(t, "dpkg --audit; dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort -u", "ii")
	// Debian's resolver finds nothing to mend.
	m.Run(t, "apt-get -qq check")
}

func (m *life) isAsDeclared(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"hostname", "hello"},
		{"cat /etc/motd", "This machine is written down."},
		{"cat /srv/www/index.html | grep -c 'written down'", "1"},
		{"sysctl -n net.ipv4.ip_forward", "1"},
		{"readlink -f /etc/localtime; date -d '2026-07-01 12:00 UTC' '+%H %Z'", "/usr/share/zoneinfo/Europe/Berlin\n14 CEST"},
		{"localectl status | sed -n 's/.*System Locale: //p'", "LANG=en_GB.UTF-8"},
		{"LC_ALL=en_GB.UTF-8 locale -k d_fmt charmap", "d_fmt=\"%d/%m/%y\"\ncharmap=\"UTF-8\""},
		{"systemctl is-enabled hello.service; systemctl is-active hello.service", "enabled\nactive"},
		{"journalctl -b -u hello.service -o cat | grep -c 'a unit of its own'", "1"},
		{"systemctl is-active ssh.service nginx.service systemd-networkd.service", "active\nactive\nactive"},
		{"systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer || true", "disabled\ndisabled"},
		{"id -un 1000; id -Gn ada", "ada\nada sudo"},
		{"getent passwd ada", "ada:x:1000:1000:Ada Lovelace:/home/ada:/bin/bash"},
		{"stat -c '%U:%G %a' /home/ada", "ada:ada 700"},
		{"getent shadow ada | cut -d: -f2", "!"},
		{"test -s /etc/resolv.conf && grep -c ^nameserver /etc/resolv.conf", "1"},
		{"ls -d /etc/ssh/authorized_keys.d/ada", "/etc/ssh/authorized_keys.d/ada"},
		{"stat -c '%a' /stet", "700"},
		{"stat -c '%a' /tmp /root", "1777\n700"},
		{"readlink /usr/bin/stet; stet version | cut -d' ' -f1", "/run/stet/bin/stet\nstet"},
	} {
		m.expect(t, c.line, c.want)
	}
	if line := m.Run(t, "cat /proc/cmdline"); !strings.Contains(line, "stet.system="+m.Built.Digest) {
		t.Errorf("the kernel's command line is %s", line)
	}
}

// isQuiet looks for warnings of Stet's own programs, and for errors of anyone.
func (m *life) isQuiet(t *testing.T) {
	if output := m.Run(t, "journalctl -b -p warning -o cat --no-pager | grep -i stet || true"); output != "" {
		t.Errorf("the journal has\n%s", output)
	}
	for line := range strings.Lines(m.Run(t, "journalctl -b -p err --no-pager -q")) {
		// An emulated guest has no AF_VSOCK, and may get its address late.
		if !strings.Contains(line, "systemd-ssh-generator") && !strings.Contains(line, "Timeout occurred while waiting for network connectivity") {
			t.Errorf("the journal has the error %s", line)
		}
	}
}

// dial logs in as a person, and checks the host key as known_hosts would.
func (m *life) dial(t *testing.T) *ssh.Client {
	t.Helper()
	config := &ssh.ClientConfig{
		User: "ada", Auth: []ssh.AuthMethod{ssh.PublicKeys(m.login)}, Timeout: time.Minute,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if m.hostKey != nil && !bytes.Equal(m.hostKey.Marshal(), key.Marshal()) {
				return fmt.Errorf("the host key changed")
			}
			m.hostKey = key
			return nil
		},
	}
	client, err := ssh.Dial("tcp", m.ForwardedAddress(22), config)
	if err != nil {
		t.Fatalf("%v\n%s", err, m.Run(t, "journalctl -b -u ssh --no-pager | tail"))
	}
	return client
}

func (m *life) logsIn(t *testing.T) {
	client := m.dial(t)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	output, err := session.CombinedOutput("id -un && pwd && echo $LANG")
	if want := "ada\n/home/ada\nen_GB.UTF-8\n"; err != nil || string(output) != want {
		t.Errorf("have %q, %v\nwant %q", output, err, want)
	}
	if _, err := ssh.Dial("tcp", m.ForwardedAddress(22), &ssh.ClientConfig{
		User: "ada", Auth: []ssh.AuthMethod{ssh.Password("")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: time.Minute,
	}); err == nil {
		t.Error("ada could log in with an empty password")
	}
}

// isToldAtLogin looks whether what Stet has to say is read at a login over SSH.
func (m *life) isToldAtLogin(t *testing.T) {
	m.Run(t, "mkdir -p /run/motd.d && echo 'Generation 7 failed' >/run/motd.d/stet")
	defer m.Run(t, "rm /run/motd.d/stet")
	client := m.dial(t)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var output bytes.Buffer
	session.Stdout, session.Stdin = &output, strings.NewReader("exit\n")
	if err := session.RequestPty("vt100", 24, 80, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(); err != nil || !strings.Contains(output.String(), "Generation 7 failed") {
		t.Errorf("%v: at login one reads\n%s", err, output.String())
	}
}
