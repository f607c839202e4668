package wrong_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

// hostile makes a package with a postinst.
func hostile(name string, script ...string) mirrortest.Deb {
	return mirrortest.Deb{Name: name, Scripts: map[string]string{"postinst": "#!/bin/sh\n" + strings.Join(script, "\n") + "\n"}}
}

// answering gives the address of a server on the host, and tells whether
// anybody came.
func answering(t *testing.T) (port int, reached func() bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{})
	go func() {
		if c, err := listener.Accept(); err == nil {
			c.Close()
			close(came)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() bool {
		listener.Close()
		select {
		case <-came:
			return true
		default:
			return false
		}
	}
}

// A script that does what none may do ends the work: its package is named, with
// what it printed last.
func TestScriptsThatAreRefused(t *testing.T) {
	port, reached := answering(t)
	w := loopback.New(t,
		mirrortest.Deb{Name: "greeting"},
		hostile("looper", "sleep 86400 &", "echo around and around", "while :; do :; done"),
		hostile("filler", "echo more of everything", "set -e", "cat /dev/zero >/var/lib/filled"),
		hostile("careless", "cat /dev/zero >/var/lib/filled 2>/dev/null", "exit 0"),
		hostile("hoarder", "set -e", "cat /dev/zero >/tmp/filled"),
		hostile("caller", "set -e", fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'", port)),
	)
	w.Serve(t)
	w.GiveDebs(t)
	before := w.Lock(t)
	first := *w
	first.Stet.Dir = copyOf(t, w.Stet.Dir)
	first.Want(t, "greeting")
	first.Stet.Must(t, "lock") // the base takes as long as it takes
	for _, c := range []struct {
		name     string
		patience time.Duration
		disk     int // MiB; 0 is the usual one
		words    []string
	}{
		{name: "looper", patience: 20 * time.Second, words: []string{"nothing has ended for 20s", "around and around", "leave the package out"}},
		{name: "filler", disk: 900, words: []string{"no space left on device", "more of everything", "make room"}},
		{name: "careless", disk: 900, words: []string{"no space left on device", "make room"}},
		{name: "hoarder", words: []string{"exit status", "No space left on device"}},
		{name: "caller", words: []string{"exit status", "Network is unreachable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := w.In(t, w.Store)
			if c.disk > 0 {
				here = w.In(t, filepath.Join(t.TempDir(), "store"))
				mountDisk(t, here.Store, c.disk)
				here.GiveDebs(t)
			}
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			here.Want(t, c.name)
			here.Wait(c.patience)
			refused(t, here.Stet.Run(t, "lock"), 1, append(c.words, "configure of package "+c.name+" failed")...)
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
			if left, err := os.ReadDir(filepath.Join(here.Store, "tmp")); err != nil || len(left) > 0 {
				t.Errorf("the store has %v left, %v", left, err)
			}
		})
	}
	if reached() {
		t.Error("a script reached the host's network")
	}
	w.Stet.Must(t, "build") // all is as before
}

// mountDisk mounts a disk of some MiB at a directory that it makes.
func mountDisk(t *testing.T, dir string, size int) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// A script that leaves a daemon behind, and one that copies all that /proc says,
// do no harm: the daemon ends with them, and nothing of the host comes in.
func TestScriptsThatAreHeldIn(t *testing.T) {
	token := fmt.Sprintf("stet-daemon-%d", os.Getpid())
	w := loopback.New(t,
		hostile("forker", "setsid sh -c 'while :; do sleep 1; done' "+token+" &", "exit 0"),
		hostile("reader", "for file in $(find /proc -maxdepth 2 -type f) /proc/1/environ /proc/1/cmdline; do",
			"  case $file in /proc/kmsg|/proc/kcore|/proc/kpage*|*/pagemap|*/clear_refs) continue ;; esac",
			"  echo \"$file\"; timeout 5 head -c 65536 \"$file\" 2>/dev/null", "done >/etc/seen", "exit 0"),
	)
	w.Serve(t)
	w.GiveDebs(t)
	w.Want(t, "forker", "reader")
	w.Stet.Must(t, "lock")
	w.Stet.Build(t)
	if lives := processOf(t, token); lives != "" {
		t.Errorf("the daemon lives on: %s", lives)
	}

	seen := w.Stet.Must(t, "shell", "--", "cat", "/etc/seen").Stdout
	if !strings.Contains(seen, "/proc/cpuinfo\n") {
		t.Fatalf("the script saw no /proc:\n%.1000s", seen)
	}
	for what, secret := range map[string]string{
		"the path of the store": w.Store, "the repository": w.Stet.Dir, "who runs stet": "script.test",
	} {
		if i := strings.Index(seen, secret); i >= 0 {
			t.Errorf("the script saw %s: …%s…", what, seen[max(0, i-200):min(len(seen), i+200)])
		}
	}
}

// processOf looks for a process with a word in its command line.
func processOf(t *testing.T, word string) string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lines {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(word)) {
			return string(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))
		}
	}
	return ""
}
