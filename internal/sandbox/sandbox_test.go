package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// hostRoot is a root with the host's programs, so that the tests need no
// packages; the sandbox itself shows it nothing of the host beside them.
func hostRoot(t *testing.T) Root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the sandbox tests need root")
	}
	root := Root{{Target: "/", Tmpfs: &Tmpfs{Mode: 0o755}}, {Target: "/usr", Bind: &Bind{Source: "/usr", ReadOnly: true}}, {Target: "/sys", Tmpfs: &Tmpfs{Mode: 0o555}}}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		root = append(root, Mount{Target: "/" + name, Link: &Link{To: "usr/" + name}})
	}
	return root
}

func run(t *testing.T, script string) string {
	t.Helper()
	var out bytes.Buffer
	err := Run(context.Background(), Spec{
		Root: hostRoot(t), Argv: []string{"sh", "-c", script},
		Env: []string{"PATH=/usr/sbin:/usr/bin"}, Stdout: &out, Stderr: &out,
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

func TestTheProgramSeesNothingOfTheHost(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"host name":    {"uname -n", "localhost"},
		"CPUs":         {"nproc", "1"},
		"interfaces":   {"cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '", "lo"},
		"command line": {"cat /proc/cmdline", "quiet"},
		"processes":    {"echo /proc/[0-9]*", "/proc/1"},
		"/sys":         {"ls /sys", ""},
		"environment":  {"env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort", "PATH=/usr/sbin:/usr/bin"},
		"root":         {"ls / | tr '\\n' ' '", "bin dev lib lib64 proc run sbin sys tmp usr"},
		"umask":        {"umask", "0022"},
		"memory":       {"df -m --output=size /tmp /run /dev /dev/shm | tail -n +2 | tr -d ' ' | tr '\\n' ' '", "1024 64 64 64"},
		"groups":       {"id -G", "0"},
	} {
		if have := run(t, c.script); have != c.want {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
	}
}

func TestTheProgramCannotReachOutside(t *testing.T) {
	for name, script := range map[string]string{
		"mount":             "mount -t tmpfs none /tmp",
		"a device node":     "mknod /tmp/sda b 8 0",
		"a sysctl":          "echo 1 > /proc/sys/kernel/panic",
		"sysrq":             "echo h > /proc/sysrq-trigger",
		"the host's /usr":   "touch /usr/here",
		"the clock":         "date -s 2031-01-01",
		"the host name":     "hostname elsewhere",
		"another namespace": "unshare -m true",
	} {
		if out := run(t, "if "+script+" 2>/dev/null; then echo reached; fi"); strings.HasSuffix(out, "reached") {
			t.Errorf("%s can be reached", name)
		}
	}
}

func TestNoProgramWaitsForTheDisk(t *testing.T) {
	if err := exec.Command("sync", "/dev/null").Run(); err == nil {
		t.Fatal("the kernel writes out what has no disk")
	}
	if have := run(t, "sync /dev/null && sync --data /dev/null && sync --file-system /dev/null && sync && echo fine"); have != "fine" {
		t.Error(have)
	}
}

func TestExitStatusAndStartFailuresAreToldApart(t *testing.T) {
	var exit *exec.ExitError
	err := Run(context.Background(), Spec{Root: hostRoot(t), Argv: []string{"/bin/sh", "-c", "exit 125"}})
	if !errors.As(err, &exit) || exit.ExitCode() != 125 {
		t.Errorf("have %v", err)
	}
	err = Run(context.Background(), Spec{Root: hostRoot(t), Argv: []string{"/bin/no-such-program"}})
	if err == nil || errors.As(err, &exit) && !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("have %v", err)
	}
	err = Run(context.Background(), Spec{Root: Root{{Target: "/", Bind: &Bind{Source: "/no/such/place"}}}, Argv: []string{"true"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/place") {
		t.Errorf("have %v", err)
	}
}

func TestTheEndOfTheContextEndsEverything(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := Run(ctx, Spec{Root: hostRoot(t), Argv: []string{"/bin/sh", "-c", "sleep 60 & sleep 60"}})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 10*time.Second {
		t.Errorf("have %v after %s", err, time.Since(begin))
	}
}

func TestDescriptorsArePassedAndNoOthers(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "status"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = Run(context.Background(), Spec{Root: hostRoot(t), Argv: []string{"/bin/sh", "-c", "exec ls /proc/self/fd >&3"}, Files: []*os.File{file}})
	if err != nil {
		t.Fatal(err)
	}
	have, _ := os.ReadFile(file.Name())
	// ls itself opens one to read the directory.
	if want := "0\n1\n2\n3\n4\n"; string(have) != want {
		t.Errorf("have %q, want %q", have, want)
	}
}

func TestProcessNumbersCanBeginElsewhere(t *testing.T) {
	var out bytes.Buffer
	err := Run(context.Background(), Spec{
		Root: hostRoot(t), Argv: []string{"sh", "-c", "sh -c 'echo $$'; true"}, FirstPID: 4711,
		Env: []string{"PATH=/usr/sbin:/usr/bin"}, Stdout: &out, Stderr: &out,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// Threads of the second run have numbers, too.
	if pid, err := strconv.Atoi(strings.TrimSpace(out.String())); err != nil || pid < 4711 || pid > 4800 {
		t.Errorf("the first child has the number %q", out.String())
	}
}
