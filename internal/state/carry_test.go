package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/mount/mounttest"
)

// TestMain runs the tests, when it can, in a mount namespace of their own: the
// kernel's overlayfs is the only oracle of what an upper means.
func TestMain(m *testing.M) { mounttest.Main(m) }

// An overlay is a mounted /etc of a test.
type overlay struct{ lower, upper, work, merged string }

// mountEtc mounts lower and upper, as on a machine: metacopy=on,redirect_dir=on.
func mountEtc(t *testing.T, lower, upper string) overlay {
	t.Helper()
	if !mounttest.Inside() {
		t.Fatal("this test mounts overlayfs; run it as root")
	}
	base := t.TempDir()
	o := overlay{lower, upper, filepath.Join(filepath.Dir(upper), "work"), filepath.Join(base, "merged")}
	for _, directory := range []string{o.upper, o.work, o.merged} {
		must(t, os.MkdirAll(directory, 0o755))
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,metacopy=on,redirect_dir=on,index=off", o.lower, o.upper, o.work)
	must(t, unix.Mount("overlay", o.merged, "overlay", 0, options))
	t.Cleanup(func() { unix.Unmount(o.merged, unix.MNT_DETACH) })
	return o
}

// carryOver plays a machine: boot on first, let person act, boot on second, and
// give back what is then in /etc and in the new upper.
func carryOver(t *testing.T, policy Policy, first, second files, person func(t *testing.T, etc string)) (etc, upper files, problems []string) {
	t.Helper()
	must(t, policy.Check())
	base := t.TempDir()
	lowers := []string{filepath.Join(base, "first"), filepath.Join(base, "second")}
	for i, tree := range []files{first, second} {
		must(t, os.Mkdir(lowers[i], 0o755))
		tree.make(t, lowers[i])
	}
	before := mountEtc(t, lowers[0], filepath.Join(base, "1", "upper"))
	person(t, before.merged)
	must(t, unix.Unmount(before.merged, 0))

	after := mountEtc(t, lowers[1], filepath.Join(base, "2", "upper"))
	problems, err := Carry{
		Policy: policy,
		Upper:  before.upper,
		Etc:    openRoot(t, after.merged),
		Merged: func() (string, error) { return mountEtc(t, lowers[0], before.upper).merged, nil },
	}.Run()
	must(t, err)
	return readFiles(t, after.merged), readUpper(t, after.upper), problems
}

// readUpper shows whiteouts as such, and files without their content.
func readUpper(t *testing.T, upper string) files {
	t.Helper()
	found := files{}
	must(t, filepath.WalkDir(upper, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == upper {
			return err
		}
		info, err := entry.Info()
		name, _ := filepath.Rel(upper, path)
		switch {
		case err != nil:
		case isWhiteout(info):
			found[name] = "whiteout"
		case info.IsDir():
			found[name] = fmt.Sprintf("dir %o", info.Mode().Perm())
		default:
			found[name] = "file"
		}
		return err
	}))
	return found
}

func TestCarryKeepsWhatThePolicySaysAndNothingElse(t *testing.T) {
	keys := Policy{Format: 1, Persist: []string{"/etc/ssh/ssh_host_*"}}
	all := Policy{Format: 1, Persist: []string{"/etc/conf"}}
	tests := []struct {
		name          string
		policy        Policy
		first, second files
		person        func(*testing.T, string)
		etc, upper    files
		problems      int
	}{
		{
			name:   "persisted files only",
			policy: keys, first: files{"ssh/sshd_config": "1", "motd": "1"}, second: files{"ssh/sshd_config": "2", "motd": "2"},
			person: func(t *testing.T, etc string) {
				files{"ssh/ssh_host_key": "key", "ssh/sshd_config": "drift", "motd": "drift", "machine-id": "id"}.make(t, etc)
			},
			etc:   files{"ssh/ssh_host_key": "key", "ssh/sshd_config": "2", "motd": "2", "machine-id": "id"},
			upper: files{"ssh": "dir 755", "ssh/ssh_host_key": "file", "machine-id": "file"},
		},
		{
			name:   "of what nobody changed nothing is carried",
			policy: all, first: files{"conf/a": "1"}, second: files{"conf/a": "2"},
			person: func(*testing.T, string) {},
			etc:    files{"conf/a": "2"}, upper: files{},
		},
		{
			name:   "only what is in the upper of a persisted directory",
			policy: all, first: files{"conf/a": "1", "conf/b": "1"}, second: files{"conf/a": "2", "conf/b": "2", "conf/c": "2"},
			person: func(t *testing.T, etc string) { files{"conf/a": "mine", "conf/sub/new": "mine"}.make(t, etc) },
			etc:    files{"conf/a": "mine", "conf/b": "2", "conf/c": "2", "conf/sub/new": "mine"},
			upper:  files{"conf": "dir 755", "conf/a": "file", "conf/sub": "dir 755", "conf/sub/new": "file"},
		},
		{
			name:   "a deleted file stays deleted",
			policy: all, first: files{"conf/a": "1", "conf/b": "1"}, second: files{"conf/a": "2", "conf/b": "2"},
			person: func(t *testing.T, etc string) { must(t, os.Remove(filepath.Join(etc, "conf/a"))) },
			etc:    files{"conf/b": "2"}, upper: files{"conf": "dir 755", "conf/a": "whiteout"},
		},
		{
			name:   "a deletion leaves no whiteout where there is nothing to hide",
			policy: all, first: files{"conf/a": "1", "conf/b": "1"}, second: files{"conf/b": "2"},
			person: func(t *testing.T, etc string) { must(t, os.Remove(filepath.Join(etc, "conf/a"))) },
			etc:    files{"conf/b": "2"}, upper: files{"conf": "dir 755"},
		},
		{
			name:   "a change of mode carries the content of its own generation",
			policy: all, first: files{"conf/a": "one"}, second: files{"conf/a": "two and longer"},
			person: func(t *testing.T, etc string) { must(t, os.Chmod(filepath.Join(etc, "conf/a"), 0o600)) },
			etc:    files{"conf/a": "one"}, upper: files{"conf": "dir 755", "conf/a": "file"},
		},
		{
			name:   "a renamed directory brings what was only in the image",
			policy: Policy{Format: 1, Persist: []string{"/etc/new"}}, first: files{"old/a": "1", "old/sub/b": "1"}, second: files{"old/a": "2"},
			person: func(t *testing.T, etc string) {
				must(t, os.Rename(filepath.Join(etc, "old"), filepath.Join(etc, "new")))
				files{"new/c": "mine"}.make(t, etc)
			},
			etc:   files{"old/a": "2", "new/a": "1", "new/sub/b": "1", "new/c": "mine"},
			upper: files{"new": "dir 755", "new/a": "file", "new/c": "file", "new/sub": "dir 755", "new/sub/b": "file"},
		},
		{
			name:   "a directory that was emptied is no longer opaque",
			policy: all, first: files{"conf/a": "1"}, second: files{"conf/a": "2"},
			person: func(t *testing.T, etc string) {
				must(t, os.RemoveAll(filepath.Join(etc, "conf")))
				files{"conf/mine": "mine"}.make(t, etc)
			},
			etc: files{"conf/a": "2", "conf/mine": "mine"}, upper: files{"conf": "dir 755", "conf/mine": "file"},
		},
		{
			name:   "a file takes the place of a directory and the other way round",
			policy: all, first: files{"conf/a/x": "1", "conf/b": "1"}, second: files{"conf/a/x": "2", "conf/b": "2"},
			person: func(t *testing.T, etc string) {
				must(t, os.RemoveAll(filepath.Join(etc, "conf/a")))
				must(t, os.Remove(filepath.Join(etc, "conf/b")))
				files{"conf/a": "file", "conf/b/y": "mine"}.make(t, etc)
			},
			etc:   files{"conf/a": "file", "conf/b/y": "mine"},
			upper: files{"conf": "dir 755", "conf/a": "file", "conf/b": "dir 755", "conf/b/y": "file"},
		},
		{
			name:   "symlinks are carried as such",
			policy: all, first: files{"conf/a": "1"}, second: files{"conf/a": "2"},
			person: func(t *testing.T, etc string) {
				must(t, os.Remove(filepath.Join(etc, "conf/a")))
				files{"conf/a": "-> /run/nothing"}.make(t, etc)
			},
			etc: files{"conf/a": "-> /run/nothing"}, upper: files{"conf": "dir 755", "conf/a": "file"},
		},
		{
			name:   "a directory above that is no longer in the image is made again",
			policy: keys, first: files{"ssh/sshd_config": "1"}, second: files{"motd": "2"},
			person: func(t *testing.T, etc string) { files{"ssh/ssh_host_key": "key"}.make(t, etc) },
			etc:    files{"motd": "2", "ssh/ssh_host_key": "key"}, upper: files{"ssh": "dir 755", "ssh/ssh_host_key": "file"},
		},
		{
			name:   "nothing is written through a symlink of the new image",
			policy: keys, first: files{"ssh/sshd_config": "1"}, second: files{"ssh": "-> other", "other": "dir"},
			person: func(t *testing.T, etc string) { files{"ssh/ssh_host_key": "key"}.make(t, etc) },
			etc:    files{"ssh": "-> other", "other": "dir"}, upper: files{}, problems: 1,
		},
		{
			name:   "a device is a problem, a socket is not worth a word",
			policy: all, second: files{"conf/a": "2"}, first: files{"conf/a": "1"},
			person: func(t *testing.T, etc string) {
				must(t, unix.Mknod(filepath.Join(etc, "conf/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
				must(t, unix.Mknod(filepath.Join(etc, "conf/socket"), unix.S_IFSOCK|0o666, 0))
			},
			etc: files{"conf/a": "2"}, upper: files{"conf": "dir 755"}, problems: 1,
		},
		{
			name:   "passwords of users who own them",
			policy: Policy{Format: 1, Users: map[string][]string{"ada": {FieldPassword, FieldShell}}},
			first:  files{"passwd": "ada:x:1:1::/:/bin/sh\n", "shadow": "ada:!:1:0:9:7:::\n"},
			second: files{"passwd": "ada:x:1:1::/:/bin/bash\nnew:x:2:2::/:/bin/sh\n", "shadow": "ada:!:1:0:9:7:::\nnew:!:1:0:9:7:::\n"},
			person: func(t *testing.T, etc string) {
				// As passwd(1) does it: a new file over the old one.
				must(t, os.WriteFile(filepath.Join(etc, "nshadow"), []byte("ada:hash:2:0:9:7:::\neve:hash:2:0:9:7:::\n"), 0o640))
				must(t, os.Rename(filepath.Join(etc, "nshadow"), filepath.Join(etc, "shadow")))
			},
			etc: files{
				"passwd": "ada:x:1:1::/:/bin/bash\nnew:x:2:2::/:/bin/sh\n",
				"shadow": "ada:hash:2:0:9:7:::\nnew:!:1:0:9:7:::\n",
			},
			upper: files{"shadow": "file"},
		},
		{
			name:   "accounts that end up as declared leave the upper empty",
			policy: Policy{Format: 1, Users: map[string][]string{"ada": {FieldShell}}},
			first:  files{"passwd": "ada:x:1:1::/:/bin/sh\n"}, second: files{"passwd": "ada:x:1:1::/:/bin/zsh\n"},
			person: func(t *testing.T, etc string) { files{"passwd": "ada:x:1:1::/:/bin/zsh\n"}.make(t, etc) },
			etc:    files{"passwd": "ada:x:1:1::/:/bin/zsh\n"}, upper: files{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			etc, upper, problems := carryOver(t, test.policy, test.first, test.second, test.person)
			if diff := cmp.Diff(test.etc, etc); diff != "" {
				t.Errorf("/etc: %s", diff)
			}
			if diff := cmp.Diff(test.upper, upper); diff != "" {
				t.Errorf("upper: %s", diff)
			}
			if len(problems) != test.problems {
				t.Errorf("%d problems, want %d: %q", len(problems), test.problems, problems)
			}
		})
	}
}

func TestCarriedFilesKeepTheirAttributes(t *testing.T) {
	base := t.TempDir()
	lower := filepath.Join(base, "lower")
	must(t, os.Mkdir(lower, 0o755))
	before := mountEtc(t, lower, filepath.Join(base, "1", "upper"))
	name := filepath.Join(before.merged, "conf/file")
	files{"conf/file": "content"}.make(t, before.merged)
	must(t, os.Chown(name, 1234, 4321))
	must(t, os.Chmod(name, 0o751|os.ModeSetgid))
	must(t, unix.Setxattr(name, "user.note", []byte("kept"), 0))
	past := time.Unix(1600000000, 123456789)
	must(t, os.Chtimes(name, past, past))
	must(t, os.Chmod(filepath.Dir(name), 0o700))
	must(t, os.Chtimes(filepath.Dir(name), past, past))
	must(t, unix.Unmount(before.merged, 0))

	after := mountEtc(t, lower, filepath.Join(base, "2", "upper"))
	problems, err := Carry{Policy: Policy{Persist: []string{"/etc/conf"}}, Upper: before.upper, Etc: openRoot(t, after.merged)}.Run()
	if err != nil || len(problems) != 0 {
		t.Fatalf("%v, %q", err, problems)
	}
	carried := filepath.Join(after.merged, "conf/file")
	info, err := os.Stat(carried)
	must(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	if stat.Uid != 1234 || stat.Gid != 4321 || info.Mode() != 0o751|os.ModeSetgid || !info.ModTime().Equal(past) {
		t.Errorf("%d:%d %v %v", stat.Uid, stat.Gid, info.Mode(), info.ModTime())
	}
	value := make([]byte, 16)
	if n, err := unix.Getxattr(carried, "user.note", value); err != nil || string(value[:n]) != "kept" {
		t.Errorf("extended attribute: %q, %v", value[:max(n, 0)], err)
	}
	directory, err := os.Stat(filepath.Dir(carried))
	if err != nil || directory.Mode().Perm() != 0o700 || !directory.ModTime().Equal(past) {
		t.Errorf("directory: %v %v, %v", directory.Mode(), directory.ModTime(), err)
	}
}

func TestAFullDiskStopsCarrying(t *testing.T) {
	base := t.TempDir()
	lower, upper := filepath.Join(base, "lower"), filepath.Join(base, "upper")
	files{"conf/big": strings.Repeat("x", 1<<20)}.make(t, upper)
	must(t, os.Mkdir(lower, 0o755))
	small := filepath.Join(base, "small")
	must(t, os.Mkdir(small, 0o755))
	if !mounttest.Inside() {
		t.Fatal("this test mounts overlayfs; run it as root")
	}
	must(t, unix.Mount("tmpfs", small, "tmpfs", 0, "size=256k"))
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	after := mountEtc(t, lower, filepath.Join(small, "upper"))
	_, err := Carry{Policy: Policy{Persist: []string{"/etc/conf"}}, Upper: upper, Etc: openRoot(t, after.merged)}.Run()
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v, want %v: a half carried upper must not become the newest", err, unix.ENOSPC)
	}
}

func TestWithoutThePreviousImageTheRestIsCarried(t *testing.T) {
	base := t.TempDir()
	lower := filepath.Join(base, "lower")
	files{"conf/a": "1"}.make(t, lower)
	before := mountEtc(t, lower, filepath.Join(base, "1", "upper"))
	files{"conf/mine": "mine"}.make(t, before.merged)
	must(t, os.Chmod(filepath.Join(before.merged, "conf/a"), 0o600))
	must(t, unix.Unmount(before.merged, 0))
	after := mountEtc(t, lower, filepath.Join(base, "2", "upper"))
	problems, err := Carry{
		Policy: Policy{Persist: []string{"/etc/conf"}}, Upper: before.upper, Etc: openRoot(t, after.merged),
		Merged: func() (string, error) { return "", errors.New("its image is gone") },
	}.Run()
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], "/etc/conf/a") || !strings.Contains(problems[0], "its image is gone") {
		t.Errorf("%v, %q", err, problems)
	}
	if diff := cmp.Diff(files{"conf/a": "1", "conf/mine": "mine"}, readFiles(t, after.merged)); diff != "" {
		t.Error(diff)
	}
}

// TestAPathMovesOutOfTheVolatileEtcAndBack declares persist for what a machine has
// already, takes it back, and declares it again.
func TestAPathMovesOutOfTheVolatileEtcAndBack(t *testing.T) {
	base := t.TempDir()
	lower := filepath.Join(base, "lower")
	must(t, os.Mkdir(lower, 0o755))
	files{"conf/declared": "1", "motd": "1"}.make(t, lower)
	none, kept := Policy{Format: 1}, Policy{Format: 1, Persist: []string{"/etc/conf"}}
	upper := func(number string) Upper { return Upper{Directory: filepath.Join(base, number)} }
	now := mountEtc(t, lower, upper("1").Upper())
	carry := func(policy Policy, from string) {
		t.Helper()
		etc, err := os.OpenRoot(now.merged)
		must(t, err)
		defer etc.Close()
		problems, err := Carry{Policy: policy, Upper: from, Etc: etc}.Run()
		if err != nil || len(problems) > 0 {
			t.Fatalf("%v, %q", err, problems)
		}
	}
	next := func(number string, policy Policy) {
		t.Helper()
		before := now
		must(t, unix.Unmount(before.merged, 0))
		now = mountEtc(t, lower, upper(number).Upper())
		carry(policy, before.upper)
	}
	has := func(want files) {
		t.Helper()
		if diff := cmp.Diff(want, readFiles(t, now.merged)); diff != "" {
			t.Errorf("/etc: %s", diff)
		}
	}

	written := files{"conf/declared": "mine", "conf/sub/new": "mine", "conf/link": "-> sub/new", "motd": "1"}
	files{"conf/sub/new": "mine", "conf/link": "-> sub/new"}.make(t, now.merged)
	must(t, os.WriteFile(filepath.Join(now.merged, "conf/declared"), []byte("mine"), 0o644))
	next("2", kept)
	has(written) // written before anybody said that it is kept

	next("3", none)
	has(files{"conf/declared": "1", "motd": "1"})
	saved, _, err := upper("2").Saved(none)
	must(t, err)
	if diff := cmp.Diff([]string{"/etc/conf/declared", "/etc/conf/link", "/etc/conf/sub/new"}, saved); diff != "" {
		t.Errorf("what was let go: %s", diff)
	}

	// What was let go is brought back as undo --revert does it: by carrying it.
	carry(Policy{Format: 1, Persist: saved}, upper("2").Upper())
	has(written)
	next("4", kept)
	has(written)
}
