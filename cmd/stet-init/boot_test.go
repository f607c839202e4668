package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/erofs/go-erofs"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/mount"
	"stet/internal/mount/mounttest"
	"stet/internal/state"
)

// TestMain runs the tests, when it can, in a mount namespace of their own.
func TestMain(m *testing.M) { mounttest.Main(m) }

// A testStore is the disk of a machine, as a directory.
type testStore struct{ directory string }

func newTestStore(t *testing.T) testStore {
	t.Helper()
	if !mounttest.Inside() {
		t.Fatal("this test mounts images; run it as root")
	}
	s := testStore{filepath.Join(t.TempDir(), "stet")}
	for _, directory := range []string{"objects", "images", "state"} {
		must(t, os.MkdirAll(filepath.Join(s.directory, directory), 0o755))
	}
	return s
}

// image adds a composefs image with the given files, and their contents to the
// objects. A name that ends in a slash is a directory; "-> x" is a symlink.
func (s testStore) image(t *testing.T, files map[string]string) string {
	t.Helper()
	out, err := os.CreateTemp(filepath.Join(s.directory, "images"), "new")
	must(t, err)
	defer out.Close()
	w := erofs.Create(out)
	must(t, w.Mkdir("/", 0o755))
	made := map[string]bool{"/": true}
	var directory func(string)
	directory = func(name string) {
		if !made[name] {
			directory(filepath.Dir(name))
			must(t, w.Mkdir(name, 0o755))
			made[name] = true
		}
	}
	for name, content := range files {
		if strings.HasSuffix(name, "/") {
			directory(filepath.Clean(name))
			continue
		}
		directory(filepath.Dir(name))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			must(t, w.Symlink(target, name))
			continue
		}
		sum := sha256.Sum256([]byte(content))
		object := "/" + hex.EncodeToString(sum[:1]) + "/" + hex.EncodeToString(sum[1:])
		must(t, os.MkdirAll(filepath.Dir(s.directory+"/objects"+object), 0o755))
		must(t, os.WriteFile(s.directory+"/objects"+object, []byte(content), 0o644))
		file, err := w.Create(name)
		must(t, err)
		_, err = file.Write(make([]byte, len(content)))
		must(t, err)
		must(t, file.Close())
		must(t, w.Setxattr(name, "trusted.overlay.metacopy", ""))
		must(t, w.Setxattr(name, "trusted.overlay.redirect", object))
	}
	must(t, w.Close())
	text, err := os.ReadFile(out.Name())
	must(t, err)
	sum := sha256.Sum256(text)
	name := hex.EncodeToString(sum[:])
	must(t, os.Rename(out.Name(), filepath.Join(s.directory, "images", name)))
	return name
}

// boot plays the steps between the store and systemd, lets inside look at the new
// root directory, and takes the machine down again.
func (s testStore) boot(t *testing.T, images map[string]string, inside func(root string)) *machine {
	t.Helper()
	return s.bootAt(t, t.TempDir(), images, inside)
}

// bootAt is boot with the place of the new root directory.
func (s testStore) bootAt(t *testing.T, root string, images map[string]string, inside func(root string)) *machine {
	t.Helper()
	must(t, mount.Tmpfs(root, 0, "mode=0755"))
	must(t, mount.MakePrivate(root))
	defer unix.Unmount(root, unix.MNT_DETACH)
	must(t, layOut(root))
	must(t, mount.Bind(s.directory, filepath.Join(root, "stet")))
	m := &machine{start: time.Now(), root: root, manifest: manifest{Machine: "hello", Images: images}}
	must(t, m.take(m.readUppers, m.mountTrees, m.finishEtc))
	inside(root)
	return m
}

func TestBootsCarryWhatBelongsToTheMachine(t *testing.T) {
	s := newTestStore(t)
	usr := map[string]string{
		"/lib/modules/": "", "/bin/true": "program",
		"/lib/stet/state.json": `{"format":1,"persist":["/etc/ssh/ssh_host_*"],"users":{"ada":["password"]}}`,
	}
	images := map[string]string{
		"usr":     s.image(t, usr),
		"etc":     s.image(t, map[string]string{"/motd": "first", "/ssh/sshd_config": "x", "/shadow": "ada:!:1:0:9:7:::\n"}),
		"var":     s.image(t, map[string]string{"/var/lib/dpkg": "-> /usr/lib/sysimage/dpkg", "/var/seed": "1", "/home/": "", "/opt/": ""}),
		"modules": s.image(t, map[string]string{"/lib/modules/6.12/modules.dep": "dep"}),
	}
	var id string
	first := s.boot(t, images, func(root string) {
		for name, want := range map[string]string{"usr/bin/true": "program", "usr/lib/modules/6.12/modules.dep": "dep", "etc/motd": "first", "var/seed": "1"} {
			if got := read(t, filepath.Join(root, name)); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		id = read(t, filepath.Join(root, "etc/machine-id"))
		for _, name := range []string{"usr/x", "usr/bin/true", "usr/lib/modules/x"} {
			if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); !errors.Is(err, unix.EROFS) {
				t.Errorf("write %s: %v, want %v", name, err, unix.EROFS)
			}
		}
		if diff := cmp.Diff([]string{"machine-id"}, upper(t, s, 1)); diff != "" {
			t.Errorf("the upper of a clean boot: %s", diff)
		}
		must(t, os.WriteFile(filepath.Join(root, "etc/motd"), []byte("drift"), 0o644))
		must(t, os.WriteFile(filepath.Join(root, "etc/ssh/ssh_host_key"), []byte("key"), 0o600))
		must(t, os.WriteFile(filepath.Join(root, "etc/shadow"), []byte("ada:hash:2:0:9:7:::\n"), 0o640))
		must(t, os.WriteFile(filepath.Join(root, "home/page"), []byte("mine"), 0o644))
	})
	if first.upper != 1 || len(first.problems) != 0 {
		t.Errorf("first boot: upper %d, problems %q", first.upper, first.problems)
	}

	images["etc"] = s.image(t, map[string]string{"/motd": "second", "/ssh/sshd_config": "y", "/shadow": "ada:!:1:0:9:7:::\neve:!:1:0:9:7:::\n"})
	second := s.boot(t, images, func(root string) {
		for name, want := range map[string]string{
			"etc/machine-id": id, "etc/motd": "second", "etc/ssh/sshd_config": "y", "etc/ssh/ssh_host_key": "key",
			"etc/shadow": "ada:hash:2:0:9:7:::\neve:!:1:0:9:7:::\n", "home/page": "mine",
		} {
			if got := read(t, filepath.Join(root, name)); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
	if second.upper != 2 || len(second.problems) != 0 {
		t.Errorf("second boot: upper %d, problems %q", second.upper, second.problems)
	}
	if diff := cmp.Diff([]string{"machine-id", "shadow", "ssh", "ssh/ssh_host_key"}, upper(t, s, 2)); diff != "" {
		t.Errorf("the upper of the second boot: %s", diff)
	}
	if got := read(t, filepath.Join(s.directory, "state/etc/1/upper/motd")); got != "drift" {
		t.Errorf("the drift of the first boot is not kept: %q", got)
	}
	if got := strings.TrimSpace(read(t, filepath.Join(s.directory, "state/etc/2/image"))); got != images["etc"] {
		t.Errorf("the image of upper 2 is noted as %s, want %s", got, images["etc"])
	}
}

// TestWhatPersistsAgainComesBackWithABoot has a path persisted by every other system.
func TestWhatPersistsAgainComesBackWithABoot(t *testing.T) {
	s := newTestStore(t)
	system := func(persist, declared string) map[string]string {
		return map[string]string{
			"usr": s.image(t, map[string]string{"/lib/stet/state.json": `{"format":1,"persist":[` + persist + `]}`}),
			"etc": s.image(t, map[string]string{"/motd": "x", "/conf/declared": declared}),
		}
	}
	kept, dropped := system(`"/etc/conf"`, "first"), system("", "second")
	there := func(root string) string {
		text := read(t, filepath.Join(root, "etc/conf/declared"))
		for _, name := range []string{"mine", "other"} {
			if content, err := os.ReadFile(filepath.Join(root, "etc/conf", name)); err == nil {
				text += " " + string(content)
			}
		}
		return text
	}
	for i, boot := range []struct {
		images map[string]string
		want   string
		person func(etc string)
	}{
		{kept, "first", func(etc string) {
			must(t, os.WriteFile(filepath.Join(etc, "conf/mine"), []byte("mine"), 0o600))
			must(t, os.Chmod(filepath.Join(etc, "conf/declared"), 0o600)) // its content stays in the image
		}},
		{dropped, "second", nil},
		{dropped, "second", nil},
		{kept, "first mine", func(etc string) {
			must(t, os.Remove(filepath.Join(etc, "conf/mine")))
			must(t, os.WriteFile(filepath.Join(etc, "conf/other"), []byte("other"), 0o600))
		}},
		{kept, "first other", nil}, // what was removed while it persists stays removed
		{dropped, "second", nil},
		{kept, "first other", nil},
		{dropped, "second", func(etc string) { must(t, os.WriteFile(filepath.Join(etc, "conf/mine"), []byte("new"), 0o600)) }},
		{kept, "first new", nil}, // what the last one has comes before what is older
	} {
		m := s.boot(t, boot.images, func(root string) {
			if have := there(root); have != boot.want {
				t.Errorf("boot %d: there is %q, want %q", i+1, have, boot.want)
			}
			if boot.person != nil {
				boot.person(filepath.Join(root, "etc"))
			}
		})
		if len(m.problems) != 0 {
			t.Errorf("boot %d: problems %q", i+1, m.problems)
		}
	}
}

func TestBootAfterACrashWhileCarrying(t *testing.T) {
	s := newTestStore(t)
	images := map[string]string{
		"usr": s.image(t, map[string]string{"/lib/stet/state.json": `{"format":1,"persist":["/etc/keep"]}`}),
		"etc": s.image(t, map[string]string{"/motd": "x"}),
	}
	var id string
	s.boot(t, images, func(root string) {
		id = read(t, filepath.Join(root, "etc/machine-id"))
		must(t, os.WriteFile(filepath.Join(root, "etc/keep"), []byte("kept"), 0o644))
	})
	// The power went while the second boot had carried half of it.
	u, err := state.Begin(filepath.Join(s.directory, "state/etc"), []state.Upper{{Number: 1}}, images["etc"])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(u.Upper(), "machine-id"), nil, 0o444))
	m := s.boot(t, images, func(root string) {
		if got := read(t, filepath.Join(root, "etc/machine-id")); got != id {
			t.Errorf("machine-id %q, want %q", got, id)
		}
		if got := read(t, filepath.Join(root, "etc/keep")); got != "kept" {
			t.Errorf("keep: %q", got)
		}
	})
	if m.upper != 2 || len(m.problems) != 0 {
		t.Errorf("upper %d, problems %q", m.upper, m.problems)
	}
	if entries, err := filepath.Glob(filepath.Join(s.directory, "state/etc/*.partial")); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAFullStoreBootsWithEtcInMemory(t *testing.T) {
	s := newTestStore(t)
	images := map[string]string{
		"usr": s.image(t, map[string]string{"/lib/stet/state.json": `{"format":1,"persist":["/etc/keep"]}`}),
		"etc": s.image(t, map[string]string{"/motd": "x"}),
	}
	// The state is on a file system of its own here, so that it can be filled.
	stateDirectory := filepath.Join(s.directory, "state")
	must(t, mount.Tmpfs(stateDirectory, 0, "mode=0755,size=1m"))
	defer unix.Unmount(stateDirectory, unix.MNT_DETACH)
	run := t.TempDir()
	must(t, os.Mkdir(filepath.Join(run, "stet"), 0o755))
	memory := filepath.Join(run, "stet/etc")
	defer unix.Unmount(memory, unix.MNT_DETACH)

	bindAll := func(inside func(root string)) *machine {
		root := t.TempDir()
		must(t, mount.Tmpfs(root, 0, "mode=0755"))
		must(t, mount.MakePrivate(root))
		defer unix.Unmount(root, unix.MNT_DETACH)
		must(t, layOut(root))
		clone, err := mount.Clone(s.directory, true)
		must(t, err)
		defer clone.Close()
		must(t, clone.Attach(filepath.Join(root, "stet")))
		m := &machine{start: time.Now(), root: root, run: run, manifest: manifest{Images: images}}
		must(t, m.take(m.readUppers, m.mountTrees, m.finishEtc))
		inside(root)
		return m
	}
	bindAll(func(root string) {
		must(t, os.WriteFile(filepath.Join(root, "etc/keep"), []byte("kept"), 0o644))
	})
	filler, err := os.Create(filepath.Join(stateDirectory, "filler"))
	must(t, err)
	for block := make([]byte, 4096); err == nil; {
		_, err = filler.Write(block)
	}
	filler.Close()
	m := bindAll(func(root string) {
		if got := read(t, filepath.Join(root, "etc/keep")); got != "kept" {
			t.Errorf("keep: %q", got)
		}
		must(t, os.WriteFile(filepath.Join(root, "etc/motd"), []byte("writable"), 0o644))
	})
	if m.upper != 0 || len(m.problems) != 1 || !strings.Contains(m.problems[0], "lost at the next boot") {
		t.Errorf("upper %d, problems %q", m.upper, m.problems)
	}
	must(t, os.Remove(filler.Name()))
	must(t, unix.Unmount(memory, unix.MNT_DETACH))
	must(t, os.Remove(memory))
	m = bindAll(func(root string) {
		if got := read(t, filepath.Join(root, "etc/keep")); got != "kept" {
			t.Errorf("keep, when there is room again: %q", got)
		}
	})
	if m.upper != 2 || len(m.problems) != 0 {
		t.Errorf("upper %d, problems %q", m.upper, m.problems)
	}
}

// TestEtcThatTheDiskDoesNotKeepIsInMemory has the prepared /etc go before it counts.
func TestEtcThatTheDiskDoesNotKeepIsInMemory(t *testing.T) {
	s := newTestStore(t)
	root, run := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(filepath.Join(run, "stet"), 0o755))
	defer unix.Unmount(filepath.Join(run, "stet/etc"), unix.MNT_DETACH)
	must(t, mount.Tmpfs(root, 0, "mode=0755"))
	must(t, mount.MakePrivate(root))
	defer unix.Unmount(root, unix.MNT_DETACH)
	must(t, layOut(root))
	must(t, mount.Bind(s.directory, filepath.Join(root, "stet")))
	m := &machine{start: time.Now(), root: root, run: run, manifest: manifest{Images: map[string]string{
		"usr": s.image(t, map[string]string{"/bin/": ""}), "etc": s.image(t, map[string]string{"/motd": "x"}),
	}}}
	must(t, m.take(m.readUppers, m.mountTrees))
	if _, err := os.Stat(filepath.Join(root, "etc/motd")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("/etc is there before it is written out: %v", err)
	}
	must(t, os.RemoveAll(filepath.Join(s.directory, "state/etc")))
	must(t, m.finishEtc())
	if got := read(t, filepath.Join(root, "etc/motd")); got != "x" {
		t.Errorf("motd: %q", got)
	}
	must(t, os.WriteFile(filepath.Join(root, "etc/motd"), []byte("writable"), 0o644))
	if m.upper != 0 || len(m.problems) != 1 || !strings.Contains(m.problems[0], "lost at the next boot") {
		t.Errorf("upper %d, problems %q", m.upper, m.problems)
	}
}

func TestMissingImageSaysWhatToDo(t *testing.T) {
	s := newTestStore(t)
	root := t.TempDir()
	must(t, mount.Tmpfs(root, 0, "mode=0755"))
	must(t, mount.MakePrivate(root))
	defer unix.Unmount(root, unix.MNT_DETACH)
	must(t, layOut(root))
	must(t, mount.Bind(s.directory, filepath.Join(root, "stet")))
	m := &machine{root: root, manifest: manifest{Images: map[string]string{"usr": digest, "etc": digest}}}
	checkRemedy(t, "usr", m.mountTrees(), "mount /usr")
}

// upper lists what is in the upper of /etc with a number.
func upper(t *testing.T, s testStore, number int) []string {
	t.Helper()
	base := filepath.Join(s.directory, "state/etc", fmt.Sprint(number), "upper")
	var found []string
	must(t, filepath.WalkDir(base, func(path string, _ os.DirEntry, err error) error {
		if path != base {
			found = append(found, strings.TrimPrefix(path, base+"/"))
		}
		return err
	}))
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
