package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/fault"
	"stet/internal/verity"
)

// contents are the kernels and initrds of the tests, by digest.
type contents map[verity.Digest][]byte

func (c contents) open(d verity.Digest) (io.ReadCloser, error) {
	content, ok := c[d]
	if !ok {
		return nil, fmt.Errorf("there is no object %s", d)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

const blobSize = 10000

// store has some of both.
var store = contents{}

func content(name string) verity.Digest {
	text := bytes.Repeat([]byte(name+"\n"), blobSize/(len(name)+1)+1)[:blobSize]
	d := verity.Sum(text)
	store[d] = text
	return d
}

var kernels, initrds = []verity.Digest{content("kernel 0"), content("kernel 1")}, []verity.Digest{content("initrd 0"), content("initrd 1")}

// want gives generation n with kernel and initrd number k.
func want(n, k int) Wanted {
	return Wanted{
		Entry:      Entry{Machine: "hello", Generation: n, System: strings.Repeat(fmt.Sprintf("%02x", n), 32), Kernel: kernels[k], Initrd: initrds[k], CommandLine: "quiet"},
		KernelSize: blobSize, InitrdSize: blobSize, Counted: true,
	}
}

func good(w Wanted) Wanted {
	w.Good = true
	return w
}

// esp is a directory that stands for a mounted ESP.
type esp struct {
	dir string
	t   *testing.T
}

func newESP(t *testing.T) esp {
	t.Helper()
	e := esp{t.TempDir(), t}
	e.file("loader/loader.conf", "timeout 3\n")
	e.file("loader/entries.srel", "type1\n")
	e.file("EFI/systemd/systemd-bootx64.efi", "boot loader")
	e.file("loader/entries/debian.conf", "title Debian\nlinux /debian/vmlinuz\n")
	e.file("loader/entries/.stet-x.conf", "somebody's")
	e.file("stet/kernel-of-somebody", "somebody's")
	return e
}

func (e esp) file(name, text string) {
	e.t.Helper()
	name = filepath.Join(e.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		e.t.Fatal(err)
	}
}

func (e esp) remove(name string) {
	e.t.Helper()
	if err := os.Remove(filepath.Join(e.dir, name)); err != nil {
		e.t.Fatal(err)
	}
}

// rename is what the boot loader does when it tries an entry.
func (e esp) rename(from, to string) {
	e.t.Helper()
	if err := os.Rename(filepath.Join(e.dir, EntriesDir, from), filepath.Join(e.dir, EntriesDir, to)); err != nil {
		e.t.Fatal(err)
	}
}

func (e esp) read() ESP {
	e.t.Helper()
	read, err := Read(e.dir, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	return read
}

func (e esp) do(r Request) {
	e.t.Helper()
	p, err := e.read().Plan(r)
	if err == nil {
		err = p.CarryOut(e.dir, store.open)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.whole()
}

// entries are the names of our entries.
func (e esp) entries() []string {
	names := []string{}
	for _, f := range e.read().Entries {
		names = append(names, f.String())
	}
	slices.Sort(names)
	return names
}

func (e esp) has(names ...string) {
	e.t.Helper()
	if diff := cmp.Diff(names, e.entries()); diff != "" {
		e.t.Errorf("entries: %s", diff)
	}
}

// whole holds the ESP to what a machine needs to start: every entry has its
// kernel and initrd, and what belongs to others is as it was.
func (e esp) whole() {
	e.t.Helper()
	read := e.read()
	for _, f := range read.Entries {
		for name := range files(f.Text) {
			if !read.Blobs[name].Whole {
				e.t.Errorf("%s names %s, which is not whole", f.Name, name)
			}
		}
		if systemOf(f.Text) == "" {
			e.t.Errorf("%s is not whole", f.Name)
		}
	}
	for name, text := range map[string]string{
		"loader/loader.conf": "timeout 3\n", "loader/entries.srel": "type1\n", "EFI/systemd/systemd-bootx64.efi": "boot loader",
		"loader/entries/debian.conf": "title Debian\nlinux /debian/vmlinuz\n", "loader/entries/.stet-x.conf": "somebody's", "stet/kernel-of-somebody": "somebody's",
	} {
		if have, err := os.ReadFile(filepath.Join(e.dir, name)); err != nil || string(have) != text {
			e.t.Errorf("%s is %q, %v", name, have, err)
		}
	}
}

func (e esp) blobs() int { return len(e.read().Blobs) }

func TestNewEntriesAreCountedAndShareKernels(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{want(1, 0)}})
	e.has("stet-1+3.conf")
	e.do(Request{Wanted: []Wanted{want(1, 0), want(2, 0)}})
	e.has("stet-1+3.conf", "stet-2+3.conf")
	if e.blobs() != 2 {
		t.Errorf("there are %d kernels and initrds", e.blobs())
	}
	plain := want(3, 0)
	plain.Counted = false
	e.do(Request{Wanted: []Wanted{want(1, 0), want(2, 0), plain}})
	e.has("stet-1+3.conf", "stet-2+3.conf", "stet-3.conf")
	text, err := os.ReadFile(filepath.Join(e.dir, EntriesDir, "stet-3.conf"))
	if err != nil || string(text) != string(plain.Text()) {
		t.Errorf("%s, %v", text, err)
	}
	p, err := e.read().Plan(Request{Wanted: []Wanted{want(1, 0), want(2, 0), plain}})
	if err != nil || len(p.Steps) != 0 {
		t.Errorf("once more, it would do %+v, %v", p.Steps, err)
	}
}

func TestARollbackNeedsNoKernel(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{good(want(1, 0)), want(2, 1)}})
	back := want(3, 0)
	back.System = want(1, 0).System
	p, err := e.read().Plan(Request{Wanted: []Wanted{good(want(1, 0)), want(2, 1), back}})
	if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != WriteEntry {
		t.Errorf("it would do %+v, %v", p.Steps, err)
	}
}

func TestWhatNoGenerationWantsGoes(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{good(want(1, 0)), good(want(2, 1))}})
	p, err := e.read().Plan(Request{Wanted: []Wanted{good(want(2, 1))}})
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, s := range p.Steps {
		did = append(did, string(s.Action)+" "+s.Path)
	}
	wanted := []string{"remove entry loader/entries/stet-1.conf", "remove " + InitrdPath(initrds[0]), "remove " + KernelPath(kernels[0])}
	if diff := cmp.Diff(wanted, did); diff != "" {
		t.Errorf("an entry goes before what it names: %s", diff)
	}
	e.do(Request{Wanted: []Wanted{good(want(2, 1))}})
	if e.blobs() != 2 {
		t.Errorf("there are %d kernels and initrds", e.blobs())
	}
}

func TestACounterIsNeverBesideNone(t *testing.T) {
	for _, c := range []struct {
		name   string
		wanted Wanted
		booted int
		there  []string
		want   string
	}{
		{"known good: the plain one stays", good(want(7, 0)), 0, []string{"stet-7.conf", "stet-7+2-1.conf"}, "stet-7.conf"},
		{"known good, and booted", good(want(7, 0)), 7, []string{"stet-7.conf", "stet-7+2-1.conf"}, "stet-7.conf"},
		{"not known good: the counted one stays", want(7, 0), 0, []string{"stet-7.conf", "stet-7+2-1.conf"}, "stet-7+2-1.conf"},
		{"not known good, and booted: bless will find one name", want(7, 0), 7, []string{"stet-7.conf", "stet-7+2-1.conf"}, "stet-7+2-1.conf"},
		{"two counters: the one with fewer tries stays", want(7, 0), 0, []string{"stet-7+3.conf", "stet-7+2-1.conf"}, "stet-7+2-1.conf"},
		{"a good one loses its counter", good(want(7, 0)), 0, []string{"stet-7+1-2.conf"}, "stet-7.conf"},
		{"a good one never gets a counter", good(want(7, 0)), 0, []string{"stet-7.conf"}, "stet-7.conf"},
		{"a good one is written without a counter", good(want(7, 0)), 0, nil, "stet-7.conf"},
		{"a plain one stays as it is", want(7, 0), 0, []string{"stet-7.conf"}, "stet-7.conf"},
		{"tries are not given back", want(7, 0), 0, []string{"stet-7+0-3.conf"}, "stet-7+0-3.conf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newESP(t)
			for _, name := range c.there {
				e.file(filepath.Join(EntriesDir, name), string(c.wanted.Text()))
			}
			e.do(Request{Wanted: []Wanted{c.wanted}, Booted: c.booted})
			e.has(c.want)
		})
	}
}

func TestTheBootedEntryIsKeptInAllSpellings(t *testing.T) {
	for _, name := range []string{"stet-7+2-1.conf", "stet-7.conf", "stet-7+0-3.conf"} {
		e := newESP(t)
		e.do(Request{Wanted: []Wanted{want(7, 0)}})
		e.rename("stet-7+3.conf", name)
		e.do(Request{Wanted: []Wanted{good(want(8, 1))}, Booted: 7})
		if got := e.entries(); !slices.Contains(got, name) || len(got) != 2 {
			t.Errorf("booted as %s, there are %v", name, got)
		}
		if e.blobs() != 4 {
			t.Errorf("there are %d kernels and initrds", e.blobs())
		}
		e.do(Request{Wanted: []Wanted{good(want(8, 1))}, Booted: 8})
		e.has("stet-8.conf")
	}
}

func TestNumbersAreNotUsedTwice(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{want(7, 0)}})
	again := want(7, 0)
	again.System = strings.Repeat("f", 64)
	_, err := e.read().Plan(Request{Wanted: []Wanted{again}})
	var taken *TakenError
	if !errors.As(err, &taken) || taken.Generation != 7 {
		t.Errorf("got %v", err)
	}
}

func TestItDoesNotTakeAllEntriesAway(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{want(1, 0), want(2, 1)}})
	for _, r := range []Request{{}, {Booted: 9}} {
		if _, err := e.read().Plan(r); !errors.Is(err, ErrNone) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	e.rename("stet-1+3.conf", "stet-1+0-3.conf")
	if _, err := e.read().Plan(Request{Wanted: []Wanted{want(1, 0)}}); !errors.Is(err, ErrNone) {
		t.Errorf("only one that was given up would be left: %v", err)
	}
}

func TestHalfWrittenFilesAreWrittenAgain(t *testing.T) {
	r := Request{Wanted: []Wanted{good(want(1, 0)), want(2, 1)}}
	for name, damage := range map[string]func(e esp){
		"an empty kernel":     func(e esp) { e.file(KernelPath(kernels[1]), "") },
		"zeros for an initrd": func(e esp) { e.file(InitrdPath(initrds[1]), strings.Repeat("\x00", blobSize)) },
		"an empty entry":      func(e esp) { e.file(EntriesDir+"/stet-2+3.conf", "") },
		"half an entry":       func(e esp) { e.file(EntriesDir+"/stet-2+3.conf", string(want(2, 1).Text()[:160])) },
		"no kernel":           func(e esp) { e.remove(KernelPath(kernels[0])) },
		"hidden files": func(e esp) {
			e.file(EntriesDir+"/.stet-3+3.conf", "x")
			e.file("stet/.kernel-"+strings.Repeat("a", 32), "x")
		},
		"a kernel of no entry":   func(e esp) { e.file("stet/kernel-"+strings.Repeat("a", 32), "x") },
		"an entry of nobody":     func(e esp) { e.file(EntriesDir+"/stet-9.conf", string(want(9, 1).Text())) },
		"an empty one of nobody": func(e esp) { e.file(EntriesDir+"/stet-9.conf", "") },
	} {
		t.Run(name, func(t *testing.T) {
			e := newESP(t)
			e.do(r)
			damage(e)
			e.do(r)
			e.has("stet-1.conf", "stet-2+3.conf")
			if read := e.read(); len(read.Blobs) != 4 || len(read.Leftover) != 0 {
				t.Errorf("there are %v and %v", read.Blobs, read.Leftover)
			}
		})
	}
}

func TestKernelsOfOthersEntriesStay(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{want(1, 0), want(2, 1)}})
	e.file(EntriesDir+"/mine.conf", "title Mine\nlinux /"+KernelPath(kernels[0])+"\n")
	e.do(Request{Wanted: []Wanted{want(2, 1)}})
	if !e.read().Blobs[KernelPath(kernels[0])].Whole {
		t.Error("the kernel of somebody's entry is gone")
	}
	if _, err := os.Stat(filepath.Join(e.dir, InitrdPath(initrds[0]))); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an initrd that nobody needs is left")
	}
}

func TestRoomIsCountedBefore(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{good(want(1, 0))}})
	r := Request{Wanted: []Wanted{good(want(1, 0)), want(2, 1)}}
	const cluster = 4096
	needed := int64(2*3*cluster + cluster + 2*cluster) // two files of three clusters, an entry, and the directories
	read := e.read()
	read.Cluster = cluster
	for _, c := range []struct {
		free    int64
		missing int64
	}{{needed, 0}, {needed - cluster, cluster}, {0, needed}} {
		read.Free = c.free
		p, err := read.Plan(r)
		var full *FullError
		switch {
		case c.missing == 0 && (err != nil || p.Left != 2*cluster):
			t.Errorf("with %d: %v, %d are left", c.free, err, p.Left)
		case c.missing > 0 && (!errors.As(err, &full) || full.Missing() != c.missing || len(p.Steps) > 0):
			t.Errorf("with %d: %v, want %d to be missing", c.free, err, c.missing)
		}
	}

	// Where room is made by what goes, it goes first, as long as something
	// that can be started stays.
	third := content("kernel 2")
	replaced := want(3, 0)
	replaced.Kernel = third
	e.do(r)
	read = e.read()
	read.Cluster, read.Free = cluster, 3*cluster
	p, err := read.Plan(Request{Wanted: []Wanted{good(want(1, 0)), replaced}})
	if err != nil || p.Steps[0].Action != RemoveEntry || p.Steps[len(p.Steps)-1].Action != WriteEntry {
		t.Errorf("it would do %+v, %v", p.Steps, err)
	}
	if _, err := read.Plan(Request{Wanted: []Wanted{replaced}}); err == nil {
		t.Error("everything that can be started would go before the new one is there")
	}
}

func TestADamagedStoreChangesNoEntry(t *testing.T) {
	e := newESP(t)
	e.do(Request{Wanted: []Wanted{good(want(1, 0))}})
	p, err := e.read().Plan(Request{Wanted: []Wanted{good(want(1, 0)), want(2, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]Open{
		"there is no object": contents{kernels[1]: store[kernels[1]]}.open,
		"store is damaged":   contents{kernels[1]: []byte("x"), initrds[1]: store[initrds[1]]}.open,
	} {
		if err := p.CarryOut(e.dir, open); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v", err)
		}
		e.has("stet-1.conf")
		e.whole()
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  int
	}{
		{nil, 0},
		{[]string{"stet-2.conf", "stet-10+3.conf", "stet-9.conf"}, 10},
		{[]string{"stet-2.conf", "stet-10+0-3.conf", "stet-9.conf"}, 9},
		{[]string{"stet-2+0-3.conf", "stet-10+0-3.conf"}, 10},
	} {
		var e ESP
		for _, name := range c.names {
			n, _ := ParseName(name)
			e.Entries = append(e.Entries, File{Name: n})
		}
		if got := e.Default(); got != c.want {
			t.Errorf("%v: %d, want %d", c.names, got, c.want)
		}
	}
}

// TestKilledPlans kills a process at every moment that the boot loader could
// see, and looks each time whether the machine still starts.
func TestKilledPlans(t *testing.T) {
	before := Request{Wanted: []Wanted{good(want(1, 0)), want(2, 0), want(3, 0)}}
	after := Request{Wanted: []Wanted{good(want(2, 0)), want(4, 1)}, Booted: 2}
	if dir := os.Getenv("STET_TEST_ESP"); dir != "" {
		esp{dir, t}.do(after)
		return
	}
	for _, p := range []fault.Point{
		fault.KernelPlaced, fault.InitrdPlaced, fault.EntryHidden, fault.EntryPlaced, fault.EntryBlessed, fault.EntryRemoved, fault.BlobRemoved,
	} {
		e := newESP(t)
		e.do(before)
		e.file("stet/kernel-"+strings.Repeat("a", 32), "of nobody")
		again := exec.Command("/proc/self/exe", "-test.run=^TestKilledPlans$")
		again.Env = append(os.Environ(), "STET_FAULT="+string(p), "STET_TEST_ESP="+e.dir)
		out, err := again.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it ended with %v\n%s", p, err, out)
		}
		e.whole()
		e.do(after)
		e.has("stet-2.conf", "stet-4+3.conf")
		if read := e.read(); len(read.Blobs) != 4 || len(read.Leftover) != 0 {
			t.Errorf("%s: there are %v and %v", p, read.Blobs, read.Leftover)
		}
	}
}
