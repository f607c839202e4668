package layout

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
	"stet/internal/tree"
	"stet/internal/verity"
)

// capability is cap_net_raw=ep as the kernel keeps it (linux/capability.h,
// VFS_CAP_REVISION_2).
var capability = []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

var contents = []byte("some words\n")

// everything has one of each kind that a root can have.
func everything(t *testing.T) *tree.Tree {
	t.Helper()
	text, at := verity.Sum(contents), tree.Time{Sec: 1000, Nsec: 123456789}
	file := tree.Entry{Type: tree.Regular, Mode: 0o644, Size: int64(len(contents)), Digest: text, Mtime: at}
	as := func(name string, change func(e *tree.Entry)) tree.Entry {
		e := file
		e.Path = name
		change(&e)
		return e
	}
	made, err := tree.New([]tree.Entry{
		{Path: "/", Type: tree.Directory, Mode: 0o755, Mtime: at},
		as("/capable", func(e *tree.Entry) { e.Xattrs = []tree.Xattr{{Key: "security.capability", Value: capability}} }),
		{Path: "/dir", Type: tree.Directory, Mode: 0o1777, UID: 7, GID: 8, Mtime: at},
		as("/dir/owned", func(e *tree.Entry) { e.UID, e.GID = 65534, 5 }),
		as("/dir/secret", func(e *tree.Entry) { e.Mode = 0 }),
		{Path: "/empty", Type: tree.Regular, Mode: 0o600, Mtime: at},
		{Path: "/fifo", Type: tree.FIFO, Mode: 0o620, GID: 5, Mtime: at},
		{Path: "/link", Type: tree.Symlink, Mode: 0o777, Target: "no/such\nplace", UID: 3, Mtime: at},
		as("/noted", func(e *tree.Entry) { e.Xattrs = []tree.Xattr{{Key: "user.note", Value: []byte("x\x00y")}} }),
		as("/setgid", func(e *tree.Entry) { e.Mode, e.GID = 0o2755, 42 }),
		as("/setuid", func(e *tree.Entry) { e.Mode, e.UID = 0o4755, 33 }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// objects makes a directory with the contents.
func objects(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	name := verity.Sum(contents).String()
	if err := os.Mkdir(filepath.Join(dir, name[:2]), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name[:2], name[2:]), contents, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestATreeIsLaidOutAsItIs(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	want := everything(t)
	w := Writer{Objects: objects(t)}
	dir := t.TempDir()
	if err := w.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	same(t, want, dir)
}

func TestFilesNameTheirObjectsWhereTheKernelFollows(t *testing.T) {
	follows, err := FollowsRedirects(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := everything(t)
	w := Writer{Objects: objects(t), Redirect: true}
	dir := t.TempDir()
	if err := w.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	if !follows {
		t.Log("this kernel does not: only copies can be used on it")
		return
	}
	mounted, err := mount.Overlay{Lower: dir, Objects: w.Objects}.Mount()
	if err != nil {
		t.Fatal(err)
	}
	defer mounted.Close()
	same(t, want, mounted.Root())
}

// same compares a directory with a tree.
func same(t *testing.T, want *tree.Tree, dir string) {
	t.Helper()
	for e := range want.All() {
		name := dir + "/." + e.Path // the directory may be a link of /proc
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			t.Errorf("%s: %v", e.Path, err)
			continue
		}
		if stat.Mode&0o7777 != e.Mode || stat.Uid != e.UID || stat.Gid != e.GID || stat.Mtim.Sec != e.Mtime.Sec || stat.Mtim.Nsec != int64(e.Mtime.Nsec) {
			t.Errorf("%s: mode %o, owner %d:%d, time %d.%09d", e.Path, stat.Mode&0o7777, stat.Uid, stat.Gid, stat.Mtim.Sec, stat.Mtim.Nsec)
		}
		switch e.Type {
		case tree.Regular:
			text, err := os.ReadFile(name)
			if err != nil || int64(len(text)) != e.Size || e.Size > 0 && !bytes.Equal(text, contents) {
				t.Errorf("%s: %q, %v", e.Path, text, err)
			}
		case tree.Symlink:
			if target, err := os.Readlink(name); err != nil || target != e.Target {
				t.Errorf("%s: %q, %v", e.Path, target, err)
			}
		}
		for _, x := range e.Xattrs {
			value := make([]byte, 64)
			n, err := unix.Lgetxattr(name, x.Key, value)
			if err != nil || !bytes.Equal(value[:n], x.Value) {
				t.Errorf("%s: %s is %q, %v", e.Path, x.Key, value[:max(n, 0)], err)
			}
		}
	}
	found := 0
	err := filepath.WalkDir(dir+"/.", func(string, fs.DirEntry, error) error { found++; return nil })
	if err != nil || found != want.Len() {
		t.Errorf("%d entries, not %d: %v", found, want.Len(), err)
	}
}

func TestWhatCannotBeLaidOutIsNamed(t *testing.T) {
	root := tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755}
	for want, e := range map[string]tree.Entry{
		"/dev/x: only root can make a character device": {Path: "/dev/x", Type: tree.CharDevice, Rdev: 259},
		"belongs to the kernel":                         {Path: "/dev/x", Type: tree.Regular, Xattrs: []tree.Xattr{{Key: "user.overlay.opaque", Value: []byte("y")}}},
		"no such file":                                  {Path: "/dev/x", Type: tree.Regular, Size: 3, Digest: verity.Sum([]byte("abc"))},
	} {
		made, err := tree.New([]tree.Entry{root, {Path: "/dev", Type: tree.Directory, Mode: 0o755}, e})
		if err != nil {
			t.Fatal(err)
		}
		err = Writer{Objects: t.TempDir()}.Write(t.TempDir(), made)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "/dev/x") {
			t.Errorf("have %v, want %q", err, want)
		}
	}
}
