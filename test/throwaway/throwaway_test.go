package throwaway_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

var greeting = mirrortest.Deb{
	Name: "greeting", Fields: map[string]string{"Depends": "words"},
	Files:   map[string]string{"/usr/bin/greeting": "#!/bin/sh\ncat /usr/share/words /etc/greeting\n"},
	Scripts: map[string]string{"postinst": "#!/bin/sh\necho configured > /etc/greeting\n"},
}

func TestShellsAmongPackages(t *testing.T) {
	w := loopback.New(t, greeting, mirrortest.Deb{Name: "words", Files: map[string]string{"/usr/share/words": "hello\n"}})
	w.Serve(t)
	w.GiveDebs(t)
	before := w.Lock(t)
	offline := w.Stet.With("STET_MIRROR=http://127.0.0.1:1/debian")
	w.Stet.Must(t, "fetch")

	t.Run("what the lock has needs no network", func(t *testing.T) {
		r := run(t, offline, 0, "-p", "systemd", "--", "sh", "-c", "command -v systemctl; ls /boot; dpkg -s linux-image-cloud-amd64 2>/dev/null || echo no kernel")
		if r.Stdout != "/usr/bin/systemctl\nno kernel\n" || strings.Contains(r.Stderr, "archives") {
			t.Errorf("it says %q and %q", r.Stdout, r.Stderr)
		}
	})
	t.Run("what it has not is asked for once", func(t *testing.T) {
		r := run(t, w.Stet, 0, "-p", "greeting", "--", "greeting")
		if r.Stdout != "hello\nconfigured\n" || !strings.Contains(r.Stderr, "asking the archives") {
			t.Errorf("it says %q and %q", r.Stdout, r.Stderr)
		}
		r = run(t, offline, 0, "-p", "greeting", "--", "greeting")
		if r.Stdout != "hello\nconfigured\n" || r.Stderr != "" {
			t.Errorf("then it says %q and %q", r.Stdout, r.Stderr)
		}
		if r.CPU > time.Second {
			t.Errorf("the second time takes %s, %s of it on a CPU", r.Took, r.CPU)
		}
		t.Logf("a warm start takes %s, %s of it on a CPU", r.Took, r.CPU)
		run(t, offline, 1, "--update", "-p", "greeting", "--", "true")
	})
	t.Run("several packages, in any order", func(t *testing.T) {
		run(t, w.Stet, 0, "-p", "words", "systemd", "--", "test", "-e", "/usr/share/words")
		run(t, offline, 0, "-p", "systemd", "-p", "words", "--", "test", "-e", "/usr/bin/systemctl")
	})
	t.Run("status, input and what is written", func(t *testing.T) {
		run(t, offline, 7, "-p", "greeting", "--", "sh", "-c", "touch /usr/here /etc/here /here && exit 7")
		run(t, offline, 1, "-p", "greeting", "--", "sh", "-c", "ls /usr/here /etc/here /here 2>/dev/null && exit 0; exit 1")
		cmd := offline.Command(t.Context(), "shell", "-p", "greeting", "--", "sh", "-c", "read line; echo got $line")
		cmd.Stdin = strings.NewReader("some words\n")
		if out, err := cmd.Output(); err != nil || string(out) != "got some words\n" {
			t.Errorf("it says %q, %v", out, err)
		}
	})
	t.Run("without a repository", func(t *testing.T) {
		nowhere := w.Stet
		nowhere.Dir = t.TempDir()
		r := run(t, nowhere, 0, "-p", "greeting", "--", "greeting")
		if r.Stdout != "hello\nconfigured\n" {
			t.Errorf("it says %q", r.Stdout)
		}
		run(t, nowhere.With("STET_MIRROR=http://127.0.0.1:1/debian"), 0, "-p", "greeting", "--", "greeting")
	})
	t.Run("a package that is nowhere", func(t *testing.T) {
		r := run(t, w.Stet, 2, "-p", "nothing-of-that-name", "--", "true")
		if !strings.Contains(r.Stderr, "nothing-of-that-name") {
			t.Errorf("it says %q", r.Stderr)
		}
	})
	if w.Lock(t) != before {
		t.Error("stet.lock was changed")
	}
}

// run runs a shell that must end with a status.
func run(t *testing.T, p program.Program, code int, args ...string) program.Result {
	t.Helper()
	r := p.Run(t, append([]string{"shell"}, args...)...)
	if r.Code != code {
		t.Fatalf("stet shell %v ended with %d, not %d\n%s%s", args, r.Code, code, r.Stdout, r.Stderr)
	}
	return r
}
