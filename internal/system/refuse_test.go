package system

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hookVariable tells the test program to be dpkg or apt: it runs its value as
// they run hooks, and ends as the hook does.
const hookVariable = "STET_TEST_HOOK"

func TestMain(m *testing.M) {
	hook := os.Getenv(hookVariable)
	if hook == "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/bin/sh", "-c", hook)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if os.Getenv("APT_HOOK_SOCKET") != "" {
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "hook socket")}
	}
	cmd.Run()
	os.Exit(cmd.ProcessState.ExitCode())
}

// asked runs the script as a hook of the given command line.
func asked(t *testing.T, line, arguments string, files []*os.File, env ...string) (said string, status int) {
	t.Helper()
	text, err := managerTexts.ReadFile("manager/refuse")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "refuse")
	if err := os.WriteFile(script, text, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = strings.Fields(line)
	cmd.Env = append(os.Environ(), append(env, hookVariable+"=exec sh "+script+arguments)...)
	cmd.ExtraFiles = files
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(output), cmd.ProcessState.ExitCode()
}

func TestTheRefusalNamesTheWay(t *testing.T) {
	for line, want := range map[string]string{
		"apt install tree": `to install tree, run "stet add tree"`,
		"apt-get -y install -t trixie-backports -- a b":          `to install a b, run "stet add a b"`,
		"apt-get -qq=2 -oDebug::NoLocking=1 install nextcloud":   `to install nextcloud, run "stet add nextcloud"`,
		"apt-get -yo Dpkg::Options::=--force-confold install x":  `to install x, run "stet add x"`,
		"apt-get -t sid -a arm64 -c /etc/x.conf install yes end": `to install yes end, run`,
		"apt-get -o APT::Get::Simulate=false install x":          `to install x, run`,
		"apt install ./tree_2.1-1_amd64.deb /srv/other.deb":      `to install tree other, run "stet add tree other"`,
		"apt reinstall curl":      `to install curl, run`,
		"apt upgrade":             `to upgrade them, run "stet update"`,
		"apt-get dist-upgrade -y": `to upgrade them, run "stet update"`,
		"/usr/bin/python3 /usr/bin/unattended-upgrade -v": `to upgrade them, run "stet update"`,
		"apt purge htop": `to remove htop, run "stet remove htop"`,
		"apt autoremove": `"stet remove x" takes along`,
		"synaptic":       `run "stet add x"; to upgrade them, "stet update"; to remove it, "stet remove x"`,
	} {
		said, status := asked(t, line, "", nil)
		if status == 0 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "stet: ") || !strings.Contains(said, want) {
			t.Errorf("%s: exit status %d\n%s", line, status, said)
		}
	}
	for line, want := range map[string]string{
		"dpkg -i ./tree_2.1-1_amd64.deb": `install: to install tree, run "stet add tree"`,
		"dpkg --unpack x.deb":            `unpack: to install x, run`,
		"dpkg -r htop":                   `remove: to remove htop, run "stet remove htop"`,
		"dpkg --purge -- htop git":       `purge: to remove htop git, run "stet remove htop git"`,
		"dpkg --configure -a":            "configure: they were configured when it was built",
		"dpkg --triggers-only -a":        "triggers-only: they were configured when it was built",
		"dpkg --add-architecture i386":   `add-architecture: for those of another architecture, run "stet add NAME:ARCHITECTURE"`,
	} {
		action, want, _ := strings.Cut(want, ": ")
		said, status := asked(t, line, "", nil, "DPKG_HOOK_ACTION="+action, "DPKG_ROOT=", "DPKG_ADMINDIR=/var/lib/dpkg")
		if status == 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, want) {
			t.Errorf("%s: exit status %d\n%s", line, status, said)
		}
	}
}

func TestWhatChangesNothingIsNotRefused(t *testing.T) {
	for _, line := range []string{
		"apt -s install tree", "apt-get -ys dist-upgrade", "apt-get --simulate remove htop", "apt-get install --download-only x",
		"apt-get -yd install x", "apt-get --print-uris install x", "apt-get -o APT::Get::Simulate=1 install x",
		"apt-get -oAPT::Get::Download-Only=true install x", "apt-get --option=APT::Get::Simulate=yes install x",
		"apt-get -o Dir=/mnt install x", "apt-get -oRootDir=/mnt install x",
	} {
		if said, status := asked(t, line, "", nil); status != 0 || said != "" {
			t.Errorf("%s: exit status %d\n%s", line, status, said)
		}
	}
	for line, env := range map[string][]string{
		"dpkg --simulate -r htop":       {"DPKG_ROOT=", "DPKG_ADMINDIR=/var/lib/dpkg"},
		"dpkg --no-act -i x.deb":        {"DPKG_ROOT=", "DPKG_ADMINDIR=/var/lib/dpkg"},
		"dpkg --root=/mnt -i x.deb":     {"DPKG_ROOT=/mnt", "DPKG_ADMINDIR=/mnt/var/lib/dpkg"},
		"dpkg --admindir=/tmp/a -r old": {"DPKG_ROOT=", "DPKG_ADMINDIR=/tmp/a"},
	} {
		if said, status := asked(t, line, "", nil, append(env, "DPKG_HOOK_ACTION=x")...); status != 0 || said != "" {
			t.Errorf("%s: exit status %d\n%s", line, status, said)
		}
	}
}

// TestAnUnknownNameIsToldTheWay speaks apt's side of the protocol of its
// command-line hooks.
func TestAnUnknownNameIsToldTheWay(t *testing.T) {
	for name, c := range map[string]struct{ line, call, want string }{
		"a name that apt does not know": {"apt install tree", `{"method":"org.debian.apt.hooks.install.fail","params":{"command":"install","unknown-packages":["tree"],"packages":[]}}`, `run "stet add tree"`},
		"it failed otherwise":           {"apt install tree", `{"method":"org.debian.apt.hooks.install.fail","params":{"unknown-packages":[]}}`, ""},
		"it has not failed":             {"apt install tree", `{"method":"org.debian.apt.hooks.install.pre-prompt","params":{"unknown-packages":[]}}`, ""},
		"nothing would be changed":      {"apt -s install tree", `{"method":"org.debian.apt.hooks.install.fail","params":{"unknown-packages":["tree"]}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := os.NewFile(uintptr(pair[0]), "apt"), os.NewFile(uintptr(pair[1]), "hook")
			defer theirs.Close()
			connection, err := net.FileConn(ours)
			ours.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			fmt.Fprintf(connection, `{"jsonrpc":"2.0","method":"org.debian.apt.hooks.hello","id":0,"params":{"versions":["0.1","0.2"]}}`+"\n\n%s\n\n"+`{"jsonrpc":"2.0","method":"org.debian.apt.hooks.bye","params":{}}`+"\n\n", c.call)
			said, status := asked(t, c.line, " --unknown", []*os.File{theirs}, "APT_HOOK_SOCKET=3")
			if status != 0 || (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("exit status %d\n%s", status, said)
			}
			answer := bufio.NewReader(connection)
			for _, want := range []string{`{"jsonrpc":"2.0","id":0,"result":{"version":"0.1"}}` + "\n", "\n"} {
				if have, err := answer.ReadString('\n'); err != nil || have != want {
					t.Errorf("the answer has %q, %v", have, err)
				}
			}
		})
	}
}
