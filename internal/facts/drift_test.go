package facts

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/mount/mounttest"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/tree"
	"stet/internal/verity"
)

// TestMain runs the tests once more in a mount namespace of their own.
func TestMain(m *testing.M) { mounttest.MainOfRoot(m) }

// An etc is an overlay on a directory that has what a tree declares.
type etc struct {
	Drift
	contents map[verity.Digest][]byte
}

func newEtc(t *testing.T, files map[string]string) *etc {
	t.Helper()
	base := t.TempDir()
	must(t, unix.Mount("tmpfs", base, "tmpfs", 0, ""))
	must(t, unix.Mount("", base, "", unix.MS_PRIVATE, ""))
	t.Cleanup(func() { unix.Unmount(base, unix.MNT_DETACH) })
	lower := filepath.Join(base, "lower")
	e := &etc{contents: map[verity.Digest][]byte{}}
	e.Upper, e.Etc = filepath.Join(base, "upper"), filepath.Join(base, "etc")
	for _, dir := range []string{lower, e.Upper, e.Etc, filepath.Join(base, "work")} {
		must(t, os.Mkdir(dir, 0o755))
	}
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	for name, content := range files {
		at := filepath.Join(lower, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		for dir := filepath.Dir(name); dir != "/"; dir = filepath.Dir(dir) {
			b.Put(tree.Entry{Path: dir, Type: tree.Directory, Mode: 0o755})
		}
		entry := tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: int64(len(content))}
		if content != "" {
			entry.Digest = verity.Sum([]byte(content))
		}
		b.Put(entry)
		e.contents[entry.Digest] = []byte(content)
		must(t, os.WriteFile(at, []byte(content), 0o644))
	}
	var err error
	e.Declared, err = b.Tree()
	must(t, err)
	e.Read = func(d verity.Digest) ([]byte, error) { return e.contents[d], nil }
	must(t, unix.Mount("overlay", e.Etc, "overlay", 0, fmt.Sprintf("redirect_dir=on,metacopy=on,lowerdir=%s,upperdir=%s,workdir=%s", lower, e.Upper, filepath.Join(base, "work"))))
	return e
}

func (e *etc) at(name string) string { return filepath.Join(e.Etc, name) }

// changes gives what the walk finds, in short.
func (e *etc) changes(t *testing.T) map[string]string {
	t.Helper()
	found, err := e.Walk()
	must(t, err)
	all := map[string]string{}
	for _, d := range found {
		all[d.Path] = string(d.Change)
		if d.Persisted {
			all[d.Path] += ", persisted"
		}
		if d.Text != nil {
			all[d.Path] += ": " + *d.Text
		}
		if d.Target != "" {
			all[d.Path] += " -> " + d.Target
		}
		for _, name := range d.Attributes {
			all[d.Path] += ", with " + name
		}
	}
	return all
}

func TestDriftIsWhatSomebodyChanged(t *testing.T) {
	e := newEtc(t, map[string]string{
		"/motd": "declared", "/empty": "", "/same": "same", "/touched": "touched", "/moded": "mode", "/gone": "x", "/marked": "m", "/unmarked": "u",
		"/d/a": "a", "/d/b": "b", "/deleted/x": "x", "/deleted/sub/y": "y", "/renamed/z": "z", "/replaced/old": "old", "/ssh/key": "k",
	})
	e.Policy = state.Policy{Persist: []string{"/etc/ssh"}}
	if have := e.changes(t); len(have) != 0 {
		t.Errorf("nobody changed anything: %v", have)
	}
	must(t, os.WriteFile(e.at("motd"), []byte("mine"), 0o644))
	must(t, os.WriteFile(e.at("same"), []byte("other"), 0o644))
	must(t, os.WriteFile(e.at("same"), []byte("same"), 0o644))
	must(t, os.Chtimes(e.at("touched"), time.Unix(1, 0), time.Unix(1, 0)))
	must(t, os.Chmod(e.at("moded"), 0o600))
	must(t, unix.Lsetxattr(e.at("marked"), "trusted.note", []byte("x"), 0))
	must(t, unix.Lsetxattr(e.at("unmarked"), "trusted.note", []byte("x"), 0))
	must(t, unix.Lremovexattr(e.at("unmarked"), "trusted.note"))
	must(t, os.Remove(e.at("gone")))
	must(t, os.WriteFile(e.at("d/new"), []byte("new"), 0o600))
	must(t, os.Remove(e.at("d/b")))
	must(t, os.RemoveAll(e.at("deleted")))
	must(t, os.Rename(e.at("renamed"), e.at("elsewhere")))
	must(t, os.RemoveAll(e.at("replaced")))
	must(t, os.Mkdir(e.at("replaced"), 0o755))
	must(t, os.Symlink("/usr/x", e.at("replaced/link")))
	must(t, os.WriteFile(e.at("ssh/host_key"), []byte("secret"), 0o600))
	must(t, os.WriteFile(e.at("machine-id"), []byte("id"), 0o444))
	must(t, os.WriteFile(e.at("binary"), []byte("a\x00b"), 0o644))
	must(t, os.WriteFile(e.at(".pwd.lock"), nil, 0o600))
	want := map[string]string{
		"/etc/motd": "modified: mine", "/etc/moded": "modified", "/etc/marked": "modified: m, with trusted.note", "/etc/gone": "deleted", "/etc/d/new": "added", "/etc/d/b": "deleted",
		"/etc/deleted": "deleted", "/etc/deleted/x": "deleted", "/etc/deleted/sub": "deleted", "/etc/deleted/sub/y": "deleted",
		"/etc/renamed": "deleted", "/etc/renamed/z": "deleted", "/etc/elsewhere": "added", "/etc/elsewhere/z": "added: z",
		"/etc/replaced/old": "deleted", "/etc/replaced/link": "added -> /usr/x",
		"/etc/ssh/host_key": "added, persisted", "/etc/machine-id": "added, persisted: id", "/etc/binary": "added",
	}
	if diff := cmp.Diff(want, e.changes(t)); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsThatUsersOwnAreNoDrift(t *testing.T) {
	e := newEtc(t, map[string]string{"/shadow": "ada:!:1:0:9:7:::\neve:!:1:0:9:7:::\n", "/passwd": "ada:x:1000:1000::/home/ada:/bin/sh\n"})
	e.Policy = state.Policy{Users: map[string][]string{"ada": {state.FieldPassword}}}
	must(t, os.WriteFile(e.at("shadow"), []byte("ada:hash:2:0:9:7:::\neve:!:1:0:9:7:::\n"), 0o644))
	must(t, os.WriteFile(e.at("passwd"), []byte("ada:x:1000:1000::/home/ada:/bin/zsh\n"), 0o644))
	want := map[string]string{"/etc/shadow": "modified, persisted: ada:hash:2:0:9:7:::\neve:!:1:0:9:7:::\n", "/etc/passwd": "modified: ada:x:1000:1000::/home/ada:/bin/zsh\n"}
	if diff := cmp.Diff(want, e.changes(t)); diff != "" {
		t.Error(diff)
	}
	must(t, os.WriteFile(e.at("shadow"), []byte("ada:hash:2:0:9:7:::\neve:hash:1:0:9:7:::\n"), 0o644))
	if have := e.changes(t)["/etc/shadow"]; have[:len("modified:")] != "modified:" {
		t.Errorf("eve's password is declared: %s", have)
	}
}

func TestWhatALargeFileHasIsNotTold(t *testing.T) {
	e := newEtc(t, map[string]string{"/x": "x"})
	content := make([]byte, largestText+1)
	for i := range content {
		content[i] = 'a'
	}
	must(t, os.WriteFile(e.at("large"), content, 0o644))
	found, err := e.Walk()
	must(t, err)
	want := []plan.Drifted{{Path: "/etc/large", Change: plan.Added, Type: "file", Mode: 0o644, Size: int64(len(content)), Digest: verity.Sum(content)}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
