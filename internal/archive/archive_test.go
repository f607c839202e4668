package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/mount/mounttest"
)

func TestMain(m *testing.M) { mounttest.MainOfRoot(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newShelf is the state of a machine on a file system of its own, which nobody uses.
func newShelf(t *testing.T) Shelf {
	t.Helper()
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	must(t, unix.Mount("", dir, "", unix.MS_PRIVATE, ""))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	for _, name := range []string{"var/lib", "var/usrlocal/bin", "home", "srv"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	return Shelf{
		State: dir, Now: func() time.Time { return time.Date(2026, 11, 26, 10, 45, 0, 0, time.UTC) },
		Holders: func(func(string) bool) ([]string, error) { return nil, nil },
	}
}

func (s Shelf) file(t *testing.T, name, text string) string {
	t.Helper()
	at := filepath.Join(s.State, name)
	must(t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(t, os.WriteFile(at, []byte(text), 0o644))
	return at
}

func (s Shelf) has(name string) bool {
	_, err := os.Lstat(filepath.Join(s.State, name))
	return err == nil
}

// left lists what is on the shelf.
func (s Shelf) left(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir())
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// describe tells everything of a part that has to come back.
func describe(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	inodes := map[uint64]string{}
	must(t, filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		must(t, err)
		var about unix.Stat_t
		must(t, unix.Lstat(name, &about))
		below := strings.TrimPrefix(name, root)
		text := fmt.Sprintf("%o %d:%d %d.%09d rdev %d", about.Mode, about.Uid, about.Gid, about.Mtim.Sec, about.Mtim.Nsec, about.Rdev)
		switch about.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			target, err := os.Readlink(name)
			must(t, err)
			text += " to " + target
		case unix.S_IFREG:
			content, err := os.ReadFile(name)
			must(t, err)
			text += fmt.Sprintf(" size %d blocks %d %.40q", about.Size, about.Blocks, content)
			if about.Nlink > 1 {
				if first, ok := inodes[about.Ino]; ok {
					text += " also " + first
				}
				inodes[about.Ino] = below
			}
		}
		list := make([]byte, 4096)
		n, err := unix.Llistxattr(name, list)
		must(t, err)
		for attribute := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
			if attribute != "" {
				value := make([]byte, 4096)
				n, err := unix.Lgetxattr(name, attribute, value)
				must(t, err)
				text += fmt.Sprintf(" %s=%q", attribute, value[:n])
			}
		}
		all[below] = text
		return nil
	}))
	return all
}

// fill makes a part of all that a file system can have.
func (s Shelf) fill(t *testing.T, place string) string {
	t.Helper()
	root := filepath.Join(s.State, place)
	s.file(t, place+"/deep/er/file", "content\n")
	s.file(t, place+"/odd \n\xff name", "odd")
	s.file(t, place+"/-rf", "dash")
	must(t, os.Link(s.file(t, place+"/one", "twice"), filepath.Join(root, "two")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(root, "absolute")))
	must(t, os.Symlink("../../../..", filepath.Join(root, "up")))
	must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o620))
	must(t, unix.Mknod(filepath.Join(root, "null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	holes := s.file(t, place+"/holes", "begin")
	must(t, os.Truncate(holes, 64<<20))
	program := s.file(t, place+"/program", "#!/bin/sh\n")
	must(t, os.Chown(program, 1000, 1001))
	must(t, unix.Chmod(program, 0o4751))
	must(t, unix.Setxattr(program, "trusted.stet", []byte("kept\x00\xff"), 0))
	// cap_net_raw=ep, as setcap(8) writes it.
	must(t, unix.Setxattr(program, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	shared := s.file(t, place+"/shared", "with an access control list")
	must(t, unix.Setxattr(shared, "system.posix_acl_access", []byte("\x02\x00\x00\x00"+
		"\x01\x00\x06\x00\xff\xff\xff\xff"+"\x02\x00\x04\x00\xe8\x03\x00\x00"+"\x04\x00\x04\x00\xff\xff\xff\xff"+
		"\x10\x00\x04\x00\xff\xff\xff\xff"+"\x20\x00\x00\x00\xff\xff\xff\xff"), 0))
	must(t, os.Mkdir(filepath.Join(root, "empty"), 0o700))
	must(t, os.Chown(filepath.Join(root, "empty"), 7, 8))
	when := time.Unix(1_000_000_000, 123456789)
	for _, name := range []string{"deep/er/file", "deep/er", "deep", "one", "empty", "."} {
		must(t, os.Chtimes(filepath.Join(root, name), when, when))
	}
	return root
}

func TestWhatWasTakenComesBackAsItWas(t *testing.T) {
	s := newShelf(t)
	root := s.fill(t, "var/lib/old")
	want := describe(t, root)
	a, problems, err := s.Take(t.Context(), "/var/lib/old")
	must(t, err)
	if len(problems) > 0 || a.Of != "/var/lib/old" || !strings.HasSuffix(a.Path, "/saved/archives/20261126T104500Z-var-lib-old.tar.gz") || a.Bytes == 0 {
		t.Errorf("archive %+v, problems %q", a, problems)
	}
	if s.has("var/lib/old") {
		t.Error("it is still there")
	}
	if have := s.left(t); len(have) != 1 {
		t.Errorf("the shelf has %q", have)
	}
	if info, err := os.Stat(a.Path); err != nil || info.Mode() != 0o600 || info.Size() > 1<<20 {
		t.Errorf("the archive: %v, %v", info.Mode(), info.Size())
	}
	all, err := s.List()
	must(t, err)
	if len(all) != 1 || all[0].Path != a.Path || all[0].Of != a.Of {
		t.Errorf("listed: %+v", all)
	}

	if _, _, err := s.Restore(t.Context(), filepath.Base(a.Path)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, describe(t, root)); diff != "" {
		t.Error(diff)
	}
	var taken *TakenError
	if _, _, err := s.Restore(t.Context(), a.Path); !errors.As(err, &taken) {
		t.Errorf("brought back twice: %v", err)
	}
}

// TestASymlinkAndAFileAreParts holds that what a link leads to is never touched.
func TestASymlinkAndAFileAreParts(t *testing.T) {
	s := newShelf(t)
	s.file(t, "srv/precious", "precious")
	must(t, os.Symlink(filepath.Join(s.State, "srv"), filepath.Join(s.State, "var/lib/link")))
	s.file(t, "var/usrlocal/bin/tool", "tool")
	for _, name := range []string{"/var/lib/link", "/usr/local/bin/tool"} {
		a, _, err := s.Take(t.Context(), name)
		must(t, err)
		if a.Of != name {
			t.Errorf("%s is archived as %s", name, a.Of)
		}
	}
	if s.has("var/lib/link") || s.has("var/usrlocal/bin/tool") || !s.has("srv/precious") {
		t.Error("the wrong thing went")
	}
	all, err := s.List()
	must(t, err)
	for _, a := range all {
		if _, _, err := s.Restore(t.Context(), a.Path); err != nil {
			t.Error(err)
		}
	}
	if target, err := os.Readlink(filepath.Join(s.State, "var/lib/link")); err != nil || target != filepath.Join(s.State, "srv") {
		t.Errorf("the link leads to %s, %v", target, err)
	}
	if text, err := os.ReadFile(filepath.Join(s.State, "var/usrlocal/bin/tool")); err != nil || string(text) != "tool" {
		t.Errorf("the tool is %q, %v", text, err)
	}
}

func TestNothingIsTakenThroughASymlink(t *testing.T) {
	s := newShelf(t)
	s.file(t, "srv/data/file", "precious")
	must(t, os.Symlink("../srv", filepath.Join(s.State, "home/bob")))
	if _, _, err := s.Take(t.Context(), "/home/bob/data"); err == nil || !strings.Contains(err.Error(), "symlink") {
		t.Errorf("took it: %v", err)
	}
	for _, name := range []string{"/etc/passwd", "/var", "/var/lib/../../etc", "relative", "/var/lib/gone"} {
		if _, _, err := s.Take(t.Context(), name); err == nil {
			t.Errorf("took %s", name)
		}
	}
	if !s.has("srv/data/file") {
		t.Error("it is gone")
	}
	if have := s.left(t); len(have) > 0 {
		t.Errorf("the shelf has %q", have)
	}
}

// TestARacingSymlinkLeadsNowhere has somebody exchange a directory of theirs for a link
// to another's, all the time, while what is in it is taken.
func TestARacingSymlinkLeadsNowhere(t *testing.T) {
	s := newShelf(t)
	precious := s.file(t, "srv/precious/x", "precious")
	cache, link := filepath.Join(s.State, "home/bob/cache"), filepath.Join(s.State, "home/bob/link")
	must(t, os.MkdirAll(cache, 0o755))
	must(t, os.Symlink(filepath.Dir(precious), link))
	own, err := os.Open(cache) // wherever it is
	must(t, err)
	defer own.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if fd, err := unix.Openat(int(own.Fd()), "x", unix.O_CREAT|unix.O_WRONLY, 0o644); err == nil {
				unix.Close(fd)
			}
			_ = unix.Renameat2(unix.AT_FDCWD, cache, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			time.Sleep(time.Millisecond / 10)
		}
	}()
	took, refused := 0, 0
	for n := 0; n < 1000 && (took < 10 || refused < 10); n++ {
		switch _, _, err := s.Take(t.Context(), "/home/bob/cache/x"); {
		case err == nil:
			took++
		case strings.Contains(err.Error(), "symlink"):
			refused++
		}
		if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
			t.Fatalf("round %d: %q, %v", n, text, err)
		}
	}
	close(stop)
	<-stopped
	if took == 0 || refused == 0 {
		t.Errorf("it was taken %d times and refused %d times: there was no race", took, refused)
	}
}

func TestWhatIsInUseStays(t *testing.T) {
	s := newShelf(t)
	root := s.fill(t, "var/lib/old")
	want := describe(t, root)
	t.Run("before it is moved", func(t *testing.T) {
		s.Holders = func(matches func(string) bool) ([]string, error) {
			if matches("/var/lib/old/one") && !matches("/var/lib/older") {
				return []string{"process 7 (old) has /var/lib/old/one"}, nil
			}
			return nil, nil
		}
		var held *HeldError
		if _, _, err := s.Take(t.Context(), "/var/lib/old"); !errors.As(err, &held) {
			t.Errorf("took it: %v", err)
		}
	})
	t.Run("opened in the last moment", func(t *testing.T) {
		s.Holders = func(matches func(string) bool) ([]string, error) {
			if moved, _ := filepath.Glob(s.dir() + "/.taking-*/state/var/lib/old/one"); len(moved) == 1 && matches(moved[0]) {
				return []string{"process 7 (old) has it"}, nil
			}
			return nil, nil
		}
		var held *HeldError
		if _, _, err := s.Take(t.Context(), "/var/lib/old"); !errors.As(err, &held) {
			t.Errorf("took it: %v", err)
		}
	})
	if diff := cmp.Diff(want, describe(t, root)); diff != "" {
		t.Error(diff)
	}
	if have := s.left(t); len(have) > 0 {
		t.Errorf("the shelf has %q", have)
	}
}

func TestAMountIsNotMoved(t *testing.T) {
	s := newShelf(t)
	root := filepath.Join(s.State, "var/lib/old")
	must(t, os.Mkdir(root, 0o755))
	must(t, unix.Mount("tmpfs", root, "tmpfs", 0, ""))
	defer unix.Unmount(root, unix.MNT_DETACH)
	s.file(t, "var/lib/old/sub/file", "on another disk")
	for _, name := range []string{"/var/lib/old", "/var/lib/old/sub"} {
		if _, _, err := s.Take(t.Context(), name); err == nil || !strings.Contains(err.Error(), "mounted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !s.has("var/lib/old/sub/file") {
		t.Error("it is gone")
	}
}

func TestAFailedArchiveTakesNothing(t *testing.T) {
	s := newShelf(t)
	root := s.fill(t, "var/lib/old")
	want := describe(t, root)
	t.Run("a full disk", func(t *testing.T) {
		noise := make([]byte, 8<<20)
		for i := range noise {
			noise[i] = byte(i * i >> 3 * 7919 >> 5)
		}
		must(t, os.WriteFile(filepath.Join(root, "noise"), noise, 0o600))
		must(t, unix.Mount("", s.State, "tmpfs", unix.MS_REMOUNT, "size=9m"))
		if _, _, err := s.Take(t.Context(), "/var/lib/old"); err == nil {
			t.Error("a full disk took an archive")
		}
		must(t, unix.Mount("", s.State, "tmpfs", unix.MS_REMOUNT, "size=50%"))
		must(t, os.Remove(filepath.Join(root, "noise")))
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := s.Take(ctx, "/var/lib/old"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	must(t, os.Chtimes(root, time.Unix(1_000_000_000, 123456789), time.Unix(1_000_000_000, 123456789)))
	if diff := cmp.Diff(want, describe(t, root)); diff != "" {
		t.Error(diff)
	}
	if have := s.left(t); len(have) > 0 {
		t.Errorf("the shelf has %q", have)
	}
}

// TestTheNextCommandEndsWhatACrashLeft makes what is there at each moment of a crash.
func TestTheNextCommandEndsWhatACrashLeft(t *testing.T) {
	s := newShelf(t)
	s.file(t, "var/lib/other", "other")
	must(t, os.MkdirAll(s.dir(), 0o700))
	for name, text := range map[string]string{
		".taking-a/place": "var/lib/moved", ".taking-a/state/var/lib/moved/file": "moved",
		".taking-b/place":              "var/lib/not-moved",
		".taking-c/state/var/lib/none": "",
		".gone-d/state/var/lib/half":   "half removed",
		".making-e":                    "half an archive",
		".restoring-f/var/lib/half":    "half brought back",
	} {
		s.file(t, directory+"/"+name, text)
	}
	s.file(t, "var/lib/not-moved", "not moved")
	_, problems, err := s.Take(t.Context(), "/var/lib/other")
	must(t, err)
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	if !s.has("var/lib/moved/file") || !s.has("var/lib/not-moved") || s.has("var/lib/half") {
		t.Error("the state is not as it was")
	}
	if have := s.left(t); len(have) != 1 {
		t.Errorf("the shelf has %q", have)
	}
}

func TestOnlyOneTakesAtATime(t *testing.T) {
	s := newShelf(t)
	root := s.fill(t, "var/lib/old")
	unlock, _, err := s.open()
	must(t, err)
	if _, _, err := s.Take(t.Context(), "/var/lib/old"); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	unlock()
	want := describe(t, root)
	for range 2 { // in the same second: the second archive has another name
		a, _, err := s.Take(t.Context(), "/var/lib/old")
		must(t, err)
		_, _, err = s.Restore(t.Context(), a.Path)
		must(t, err)
	}
	if diff := cmp.Diff(want, describe(t, root)); diff != "" {
		t.Error(diff)
	}
	if have := s.left(t); len(have) != 2 || have[0] != "20261126T104500Z-var-lib-old-2.tar.gz" {
		t.Errorf("the shelf has %q", have)
	}
}

// TestHostileArchives holds that an archive brings nothing but the path that it is of.
func TestHostileArchives(t *testing.T) {
	s := newShelf(t)
	outside := filepath.Join(t.TempDir(), "outside")
	file := func(name string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 4}
	}
	link := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	for name, headers := range map[string][]*tar.Header{
		"empty":                 nil,
		"an absolute name":      {file(outside)},
		"a name with dots":      {file("var/lib/../../../x")},
		"an area":               {{Name: "var/", Typeflag: tar.TypeDir, Mode: 0o777}},
		"no state":              {file("etc/passwd")},
		"another part":          {file("var/lib/a"), file("var/lib/b"), file("srv/c")},
		"a link above":          {file("var/lib/link/x"), link("var/lib/link", outside), file("var/lib/link/y")},
		"a link to write by":    {{Name: "var/lib/d", Typeflag: tar.TypeDir, Mode: 0o755}, link("var/lib/d/out", filepath.Dir(outside)), file("var/lib/d/out/outside")},
		"a hard link to a file": {{Name: "var/lib/e", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(t.TempDir(), "x.tar.gz")
			f, err := os.Create(at)
			must(t, err)
			packed := gzip.NewWriter(f)
			w := tar.NewWriter(packed)
			for _, h := range headers {
				must(t, w.WriteHeader(h))
				if h.Size > 0 {
					_, err := w.Write([]byte("evil"))
					must(t, err)
				}
			}
			must(t, errors.Join(w.Close(), packed.Close(), f.Close()))
			_, _, err = s.Restore(t.Context(), at)
			t.Log(err)
			if _, err := os.Lstat(outside); err == nil {
				t.Errorf("%s was written", outside)
			}
			for _, other := range []string{"var/lib/b", "srv/c", "etc"} {
				if s.has(other) {
					t.Errorf("%s is there", other)
				}
			}
			entries, err := os.ReadDir(s.dir())
			if err == nil && len(entries) > 0 {
				t.Errorf("the shelf has %v", entries)
			}
		})
	}
	no := s.file(t, "srv/no.tar.gz", "no archive")
	if _, _, err := s.Restore(t.Context(), no); err == nil || !strings.Contains(err.Error(), no) {
		t.Errorf("what is no archive: %v", err)
	}
}

// TestTarAloneUnpacksAnArchive holds that nobody needs Stet to get something back.
func TestTarAloneUnpacksAnArchive(t *testing.T) {
	s := newShelf(t)
	root := s.fill(t, "var/lib/old")
	want := describe(t, root)
	a, _, err := s.Take(t.Context(), "/var/lib/old")
	must(t, err)
	out, err := exec.Command("tar", "--acls", "--xattrs", "--xattrs-include=*", "-xpzf", a.Path, "-C", s.State).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(want, describe(t, root)); diff != "" {
		t.Error(diff)
	}
}
