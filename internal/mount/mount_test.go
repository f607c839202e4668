package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/erofs/go-erofs"
	"golang.org/x/sys/unix"

	"stet/internal/mount/mounttest"
)

// TestMain runs the tests once more in a mount namespace of their own: none of
// their mounts can be left behind on the machine that runs them.
func TestMain(m *testing.M) { mounttest.MainOfRoot(m) }

// A fixture is a store with one image on a mount of its own, so that a test can
// ask whether something still pins it.
type fixture struct {
	store, image, objects string
}

const content = "the object's own bytes\n"

func newFixture(t *testing.T, base string) fixture {
	t.Helper()
	store := filepath.Join(base, "store")
	mkdir(t, store)
	check(t, Bind(store, store))
	return fillStore(t, store)
}

// newTmpfsFixture has its store on a tmpfs, from which no kernel mounts EROFS
// directly: it needs a loop device.
func newTmpfsFixture(t *testing.T, base string) fixture {
	t.Helper()
	store := filepath.Join(base, "store")
	mkdir(t, store)
	check(t, Tmpfs(store, 0, "mode=0700"))
	return fillStore(t, store)
}

func fillStore(t *testing.T, store string) fixture {
	t.Helper()
	f := fixture{store: store, image: filepath.Join(store, "images", "first"), objects: filepath.Join(store, "objects")}
	check(t, MakePrivate(f.store))
	t.Cleanup(func() { unix.Unmount(f.store, unix.MNT_DETACH) })
	mkdir(t, filepath.Dir(f.image), filepath.Join(f.objects, "ab"))
	write(t, filepath.Join(f.objects, "ab", "cdef"), content)
	writeImage(t, f.image, map[string]string{"/file": "/ab/cdef", "/lost": "/00/missing", "/directory/file": "/ab/cdef"})
	return f
}

// writeImage makes an EROFS image in the composefs layout. The bytes in it are
// zeros: whoever reads anything else reads the object.
func writeImage(t *testing.T, path string, files map[string]string) {
	t.Helper()
	out, err := os.Create(path)
	check(t, err)
	defer out.Close()
	w := erofs.Create(out)
	check(t, w.Mkdir("/", 0o755))
	check(t, w.Mkdir("/directory", 0o755))
	for name, object := range files {
		file, err := w.Create(name)
		check(t, err)
		_, err = file.Write(make([]byte, len(content)))
		check(t, err)
		check(t, file.Close())
		check(t, w.Setxattr(name, "trusted.overlay.metacopy", ""))
		check(t, w.Setxattr(name, "trusted.overlay.redirect", object))
	}
	check(t, w.Close())
}

func (f fixture) spec() Composefs {
	return Composefs{Image: f.image, Objects: f.objects, Source: "stet:usr:first"}
}

func (f fixture) writable(t *testing.T, base string) Composefs {
	t.Helper()
	c := f.spec()
	c.Upper, c.Work = filepath.Join(base, "upper"), filepath.Join(base, "work")
	mkdir(t, c.Upper, c.Work)
	return c
}

func attach(t *testing.T, c Composefs, target string) {
	t.Helper()
	m, err := c.Mount()
	check(t, err)
	defer m.Close()
	mkdir(t, target)
	check(t, m.Attach(target))
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

func TestContentComesFromTheObjects(t *testing.T) {
	base := t.TempDir()
	target := filepath.Join(base, "usr")
	attach(t, newFixture(t, base).spec(), target)
	wantContent(t, filepath.Join(target, "file"), content)
	wantContent(t, filepath.Join(target, "directory", "file"), content)
	if _, err := os.ReadFile(filepath.Join(target, "lost")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file whose object is missing: %v, want it not to exist", err)
	}
}

func TestWithoutUpperNothingCanBeWritten(t *testing.T) {
	base := t.TempDir()
	target := filepath.Join(base, "usr")
	attach(t, newFixture(t, base).spec(), target)
	if err := os.WriteFile(filepath.Join(target, "new"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("write to it: %v, want %v", err, unix.EROFS)
	}
	// The superblock must refuse too, not only the mount.
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(target, "new"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("write after making the mount writable: %v, want %v", err, unix.EROFS)
	}
}

func TestNothingPinsTheStore(t *testing.T) {
	tests := []struct {
		name     string
		fixture  func(*testing.T, string) fixture
		writable bool
	}{
		{"read-only", newFixture, false},
		{"writable", newFixture, true},
		{"read-only, loop device", newTmpfsFixture, false},
		{"writable, loop device", newTmpfsFixture, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := t.TempDir()
			f := test.fixture(t, base)
			c := f.spec()
			if test.writable {
				c = f.writable(t, f.store)
			}
			target := filepath.Join(base, "usr")
			attach(t, c, target)
			if err := unix.Unmount(f.store, 0); err != nil {
				t.Fatalf("unmount the store: %v", err)
			}
			wantContent(t, filepath.Join(target, "file"), content)
			if test.writable {
				write(t, filepath.Join(target, "new"), "still works")
			}
		})
	}
}

func TestNoScaffoldingIsLeft(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	before := read(t, "/proc/self/mountinfo")
	m, err := f.spec().Mount()
	check(t, err)
	wantContent(t, m.Root()+"/file", content)
	check(t, m.Close())
	if after := read(t, "/proc/self/mountinfo"); after != before {
		t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
	}
	bad := f.spec()
	bad.Objects = filepath.Join(base, "nothing")
	if _, err := bad.Mount(); err == nil {
		t.Error("mounted without objects")
	}
	if after := read(t, "/proc/self/mountinfo"); after != before {
		t.Errorf("after a mount that did not work: %s", after)
	}
}

func TestUpperCollectsWhatIsWritten(t *testing.T) {
	for _, volatile := range []bool{false, true} {
		t.Run(fmt.Sprintf("volatile=%v", volatile), func(t *testing.T) {
			base := t.TempDir()
			f := newFixture(t, base)
			c := f.writable(t, f.store)
			c.Volatile = volatile
			target := filepath.Join(base, "root")
			attach(t, c, target)
			write(t, filepath.Join(target, "new"), "written")
			check(t, os.Chmod(filepath.Join(target, "file"), 0o600))
			wantContent(t, filepath.Join(c.Upper, "new"), "written")
			value := make([]byte, 64)
			if _, err := unix.Lgetxattr(filepath.Join(c.Upper, "file"), "trusted.overlay.metacopy", value); err != nil {
				t.Errorf("a change of mode copied the content up: %v", err)
			}
			wantContent(t, filepath.Join(target, "file"), content)
		})
	}
}

func TestReadOnlyWithUpperShowsItAndRefusesWrites(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	c := f.writable(t, f.store)
	write(t, filepath.Join(c.Upper, "mine"), "person")
	c.ReadOnly = true
	target := filepath.Join(base, "etc")
	attach(t, c, target)
	wantContent(t, filepath.Join(target, "mine"), "person")
	if err := os.WriteFile(filepath.Join(target, "mine"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("write to it: %v, want %v", err, unix.EROFS)
	}
}

func TestMountinfoShowsTheSource(t *testing.T) {
	base := t.TempDir()
	target := filepath.Join(base, "usr")
	attach(t, newFixture(t, base).spec(), target)
	info := read(t, "/proc/self/mountinfo")
	for line := range strings.Lines(info) {
		if strings.Contains(line, " "+target+" ") {
			if !strings.Contains(line, " - overlay stet:usr:first ") || !strings.Contains(line, "nodev") {
				t.Errorf("mountinfo: %s", line)
			}
			return
		}
	}
	t.Errorf("%s is not in mountinfo:\n%s", target, info)
}

func TestLongAndOddPathsWork(t *testing.T) {
	base := filepath.Join(t.TempDir(), strings.Repeat("x", 200), `a:b\c,d`, strings.Repeat("y", 200))
	mkdir(t, base)
	f := newFixture(t, base)
	target := filepath.Join(base, "usr")
	attach(t, f.writable(t, f.store), target)
	wantContent(t, filepath.Join(target, "file"), content)
	write(t, filepath.Join(target, "new"), "written")
	wantContent(t, filepath.Join(f.store, "upper", "new"), "written")
}

func TestUpperMayLieBesideTheImage(t *testing.T) {
	f := newFixture(t, t.TempDir())
	beside := filepath.Dir(f.image)
	target := filepath.Join(t.TempDir(), "usr")
	attach(t, f.writable(t, beside), target)
	write(t, filepath.Join(target, "new"), "written")
	wantContent(t, filepath.Join(beside, "upper", "new"), "written")
}

func TestReplaceLeavesNoMomentWithoutAMount(t *testing.T) {
	base := t.TempDir()
	check(t, Tmpfs(base, 0, "mode=0700")) // the parent must not be the namespace's root mount
	t.Cleanup(func() { unix.Unmount(base, unix.MNT_DETACH) })
	check(t, MakePrivate(base))
	f := newFixture(t, base)
	write(t, filepath.Join(f.objects, "ab", "second"), strings.ToUpper(content))
	second := f.spec()
	second.Image, second.Source = filepath.Join(f.store, "images", "second"), "stet:usr:second"
	writeImage(t, second.Image, map[string]string{"/file": "/ab/second"})

	target := filepath.Join(base, "usr")
	attach(t, f.spec(), target)
	old, err := os.Open(filepath.Join(target, "file"))
	check(t, err)
	defer old.Close()

	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := os.Stat(filepath.Join(target, "file")); err != nil {
				failed <- err
				return
			}
		}
	}()
	for i := range 10 {
		next := second
		if i%2 == 1 {
			next = f.spec()
		}
		m, err := next.Mount()
		check(t, err)
		check(t, m.Replace(target))
		m.Close()
	}
	m, err := second.Mount()
	check(t, err)
	defer m.Close()
	check(t, m.Replace(target))
	close(stop)
	if err := <-failed; err != nil {
		t.Errorf("while it was replaced: %v", err)
	}
	wantContent(t, filepath.Join(target, "file"), strings.ToUpper(content))
	if got := strings.Count(read(t, "/proc/self/mountinfo"), " "+target+" "); got != 1 {
		t.Errorf("%d mounts at the target, want 1", got)
	}
	buf := make([]byte, len(content))
	if _, err := old.ReadAt(buf, 0); err != nil || string(buf) != content {
		t.Errorf("an open file of the old tree: %q, %v", buf, err)
	}
}

func TestErrorsSayWhatTheKernelSaid(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	write(t, filepath.Join(f.store, "images", "broken"), strings.Repeat("no image", 4096))
	tests := []struct {
		name string
		spec func(*Composefs)
		want []string
	}{
		{"no image", func(c *Composefs) { c.Image += "x" }, []string{"first", "no such file"}},
		{"no objects", func(c *Composefs) { c.Objects += "x" }, []string{"objects directory", "no such file"}},
		{"not an image", func(c *Composefs) { c.Image = filepath.Join(f.store, "images", "broken") }, []string{"broken", "kernel: ", "superblock"}},
		{"upper without work", func(c *Composefs) { c.Upper = f.store }, []string{"work directory"}},
		{"upper and work on two file systems", func(c *Composefs) { c.Upper, c.Work = f.store, base }, []string{"overlay", "kernel: ", "workdir"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := f.spec()
			test.spec(&c)
			m, err := c.Mount()
			if err == nil {
				m.Close()
				t.Fatal("it worked")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestAnOptionTheKernelDoesNotKnowIsNamed(t *testing.T) {
	ctx := newContext("overlay")
	defer ctx.close()
	ctx.set("nonsense", "x")
	ctx.set("metacopy", "on") // must not hide the first error
	if _, err := ctx.mount(0, "nothing"); err == nil || !strings.Contains(err.Error(), "kernel: ") || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("error %v, want the kernel's message about the option", err)
	}
}

func TestLoopDeviceStandsInForAFileBackedMount(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	device, err := attachLoop(f.image)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENXIO) {
		t.Skipf("this kernel has no loop devices: %v", err)
	}
	check(t, err)
	m, err := mountEROFSFrom(device.Name())
	device.Close()
	check(t, err)
	defer m.Close()
	if _, err := os.Stat(m.Root() + "/directory/file"); err != nil {
		t.Error(err)
	}
}

func TestCloneShowsOnlyTheSubtree(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	m, err := Clone(f.objects, false)
	check(t, err)
	defer m.Close()
	check(t, m.ReadOnly())
	target := filepath.Join(base, "objects")
	mkdir(t, target)
	check(t, m.Attach(target))
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
	wantContent(t, filepath.Join(target, "ab", "cdef"), content)
	if err := os.WriteFile(filepath.Join(target, "new"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("write through the read-only clone: %v", err)
	}
	write(t, filepath.Join(f.objects, "new"), "the original stays writable")
}

func TestDetachOfNothingIsNoError(t *testing.T) {
	base := t.TempDir()
	check(t, Detach(base))
	check(t, Detach(filepath.Join(base, "nothing")))
}

func BenchmarkComposefs(b *testing.B) {
	t := &testing.T{}
	base := b.TempDir()
	f := newFixture(t, base)
	defer unix.Unmount(f.store, unix.MNT_DETACH)
	for b.Loop() {
		m, err := f.spec().Mount()
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		check(t, os.MkdirAll(path, 0o755))
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(content), 0o644))
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	check(t, err)
	return string(content)
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got := read(t, path); got != want {
		t.Errorf("%s: %q, want %q", path, got, want)
	}
}
