package facts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// apart divides as a machine that has declared nothing: what is in /var/lib, /home,
// /srv and /usr/local/bin stands for itself.
func apart(name string) bool {
	return slices.Contains([]string{"/var/lib", "/home", "/srv", "/usr/local/bin"}, path.Dir(name))
}

// newState is the state of a machine, on a file system of its own.
func newState(t *testing.T, files ...string) Machine {
	t.Helper()
	m := Machine{Root: t.TempDir(), State: t.TempDir()}
	must(t, unix.Mount("tmpfs", m.State, "tmpfs", 0, ""))
	must(t, unix.Mount("", m.State, "", unix.MS_PRIVATE, ""))
	t.Cleanup(func() { unix.Unmount(m.State, unix.MNT_DETACH) })
	must(t, os.MkdirAll(filepath.Join(m.Root, "proc/1"), 0o755))
	must(t, os.WriteFile(filepath.Join(m.Root, "proc/1/mountinfo"), nil, 0o644))
	for _, name := range files {
		at := filepath.Join(m.State, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, make([]byte, 8192), 0o644))
	}
	old := time.Unix(1_000_000_000, 0)
	must(t, filepath.Walk(m.State, func(name string, _ os.FileInfo, err error) error {
		must(t, err)
		return os.Chtimes(name, old, old)
	}))
	return m
}

// kept gives what the walk finds, in short.
func (m Machine) kept(t *testing.T) map[string]string {
	t.Helper()
	seen, err := m.Kept(t.Context(), apart, nil)
	must(t, err)
	all := map[string]string{}
	for _, s := range seen {
		all[s.Path] = fmt.Sprintf("%d files %d kB %s", s.Files, s.Bytes>>10, s.Latest.Format(time.DateOnly))
		if s.Mount {
			all[s.Path] += " mount"
		}
		if s.Part {
			all[s.Path] += " part"
		}
	}
	return all
}

func TestTheStateIsWalked(t *testing.T) {
	m := newState(t, "var/lib/old/a", "var/lib/old/deep/b", "var/lib/loose", "home/ada/x", "var/usrlocal/bin/tool", "var/log/shared")
	new := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	must(t, os.Chtimes(filepath.Join(m.State, "var/lib/old/deep/b"), new, new))
	must(t, os.Link(filepath.Join(m.State, "var/lib/old/a"), filepath.Join(m.State, "var/lib/old/also-a")))
	must(t, os.Chtimes(filepath.Join(m.State, "var/lib/old"), new, new))
	must(t, os.Symlink("/home", filepath.Join(m.State, "var/lib/link")))
	must(t, unix.Lutimes(filepath.Join(m.State, "var/lib/link"), []unix.Timeval{{}, {}}))
	want := map[string]string{
		"/var/lib/old":        "5 files 16 kB 2026-11-26",
		"/var/lib/loose":      "1 files 8 kB 2001-09-09",
		"/var/lib/link":       "1 files 0 kB 1970-01-01",
		"/home/ada":           "2 files 8 kB 2001-09-09",
		"/usr/local/bin/tool": "1 files 8 kB 2001-09-09",
	}
	if diff := cmp.Diff(want, m.kept(t)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingMountedIsWalked(t *testing.T) {
	m := newState(t, "var/lib/old/a", "home/ada/x", "home/bob/x", "srv/www/x")
	for _, name := range []string{"var/lib/old/disk", "home/bob"} {
		at := filepath.Join(m.State, name)
		must(t, os.MkdirAll(at, 0o755))
		must(t, unix.Mount("tmpfs", at, "tmpfs", 0, ""))
		must(t, os.WriteFile(filepath.Join(at, "elsewhere"), make([]byte, 1<<20), 0o644))
	}
	// What the machine has mounted over the state is seen in its mounts alone.
	must(t, os.WriteFile(filepath.Join(m.Root, "proc/1/mountinfo"), []byte("40 1 0:99 / /home/ada rw - tmpfs tmpfs rw\n41 1 0:98 / /srv rw - tmpfs tmpfs rw\n"), 0o644))
	have := m.kept(t)
	for name, mounted := range map[string]bool{"/var/lib/old": false, "/var/lib/old/disk": true, "/home/bob": true, "/home/ada": true, "/srv": true} {
		if said, ok := have[name]; !ok || strings.Contains(said, "mount") != mounted {
			t.Errorf("%s: %q", name, said)
		}
	}
	for name, said := range have {
		if strings.Contains(said, "1024 kB") || strings.HasPrefix(name, "/srv/") {
			t.Errorf("%s was looked into: %s", name, said)
		}
	}
}

func TestAWalkEnds(t *testing.T) {
	m := newState(t, "var/lib/deep/x")
	at := filepath.Join(m.State, "var/lib/deep")
	dir, err := unix.Open(at, unix.O_DIRECTORY, 0)
	must(t, err)
	for range 2 * deepest {
		must(t, unix.Mkdirat(dir, "d", 0o755))
		next, err := unix.Openat(dir, "d", unix.O_DIRECTORY, 0)
		must(t, err)
		unix.Close(dir)
		dir = next
	}
	unix.Close(dir)
	if said := m.kept(t)["/var/lib/deep"]; !strings.HasSuffix(said, " part") {
		t.Errorf("a deep directory: %s", said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Kept(ctx, apart, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestWhoUsesThePath(t *testing.T) {
	p := newProc(t)
	for pid, link := range map[int][2]string{10: {"cwd", "/var/lib/cwd/x"}, 11: {"fd/3", "/var/lib/open/file"}, 12: {"fd/0", "/dev/null"}, 13: {"fd/4", "/var/lib/gone/file (deleted)"}} {
		p.process(pid, "system.slice/a.service", "machine", machineMounts)
		p.write(fmt.Sprintf("proc/%d/comm", pid), "sleep\n")
		at := filepath.Join(p.root, fmt.Sprintf("proc/%d", pid), link[0])
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.Symlink(link[1], at))
	}
	p.process(14, "system.slice/b.service", "machine", machineMounts, "254:0 /var/lib/mapped/index")
	p.process(15, "system.slice/b.service", "its own", machineMounts+"70 25 0:99 / /var/lib/mounted/x rw - tmpfs tmpfs rw\n")
	p.process(os.Getpid(), "system.slice/stet.service", "machine", machineMounts, "254:0 /var/lib/other/x")
	p.write("proc/swaps", "Filename\tType\n/var/lib/swaps/a\\040file             file\t1024\n/dev/dm-0  partition 1\n")
	p.write("sys/block/loop0/loop/backing_file", "/var/lib/loops/image\n")
	for name, want := range map[string]string{
		"swaps": "/var/lib/swaps/a file is swap space", "loops": "/var/lib/loops/image is a loop device",
		"cwd": "process 10 (sleep) has /var/lib/cwd/x", "open": "process 11 (sleep) has /var/lib/open/file", "gone": "process 13 (sleep) has /var/lib/gone/file (deleted)",
		"mapped": "process 14 () has /var/lib/mapped/index", "mounted": "/var/lib/mounted/x is mounted", "other": "", "ope": "",
	} {
		held, err := Machine{Root: p.root}.Holders(func(at string) bool { return isBelow(at, "/var/lib/"+name) })
		must(t, err)
		var said []string
		for _, h := range held {
			said = append(said, h.String())
		}
		if strings.Join(said, "\n") != want {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
	}
}

// TestWhatAServiceSeesElsewhereIsInUse holds that a mount of a part somewhere else
// keeps it, in whatever namespace it is.
func TestWhatAServiceSeesElsewhereIsInUse(t *testing.T) {
	p := newProc(t)
	p.process(10, "system.slice/a.service", "its own", machineMounts+"70 21 254:0 /state/var/lib/a /run/data rw - ext4 /dev/vda rw\n")
	for name, want := range map[string]int{"/var/lib/a": 1, "/var/lib": 1, "/var/lib/ab": 0, "/var/lib/a/b": 0} {
		held, err := Machine{Root: p.root}.Holders(func(at string) bool { return isBelow(at, name) })
		must(t, err)
		if len(held) != want {
			t.Errorf("%s is used by %v", name, held)
		}
	}
}
