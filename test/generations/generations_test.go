package generations_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/boot"
	"stet/internal/generation"
	"stet/internal/system/systemtest"
	"stet/test/program"
)

// A kernel and an initrd of the size that Debian's cloud kernel and Stet's
// initrd have.
const (
	kernelSize = 13 * mb
	initrdSize = 4 * mb
)

// nth is a system of which the kernel is another one every fourth time.
func nth(n int) systemtest.System {
	usr := status(fmt.Sprint(n))
	usr["/lib/own"] = noise(uint64(n), 10000)
	usr["/lib/shared"] = noise(1000, 1*mb)
	return systemtest.System{
		Kernel: noise(uint64(2000+n/4), kernelSize), Initrd: noise(uint64(3000+n/4), initrdSize), Usr: usr, Etc: map[string]string{"/motd": fmt.Sprintf("This is %d.\n", n)},
	}
}

func TestTwentyGenerationsOnASmallESP(t *testing.T) {
	m := newMachine(t, parts{store: 400 * mb, esp: 200 * mb})
	for n := 1; n <= 20; n++ {
		m.offers(nth(n), m.repository(fmt.Sprint("name: hello # ", n)))
		if s := m.boot(); s.Generation != n || s.Tries != boot.Tries {
			t.Fatalf("%+v", s)
		}
		if up := m.comesUp(); up != n {
			t.Fatalf("generation %d came up, not %d", up, n)
		}
	}
	esp, err := boot.Read(m.esp, 0)
	must(t, err)
	if len(esp.Entries) != 20 || len(esp.Blobs) != 12 || esp.Default() != 20 {
		t.Errorf("on the ESP there are %d entries and %d kernels and initrds", len(esp.Entries), len(esp.Blobs))
	}
	for _, f := range esp.Entries {
		if f.Counted && f.Generation != 20 {
			t.Errorf("%s still has a counter", f)
		}
	}
	if text, err := os.ReadFile(filepath.Join(m.esp, "loader/loader.conf")); err != nil || string(text) != "timeout 3\n" {
		t.Errorf("loader.conf is %q, %v", text, err)
	}
	l := m.list()
	if len(l.Generations) != 20 {
		t.Fatal(l)
	}
	g := l.Generations[19]
	if !slices.Equal(g.States, []string{"booted", "running", "default", "good"}) || g.Changed != 1 || g.Subject != "name: hello # 20" || g.Problem != "" || g.Kernel == "" {
		t.Errorf("%+v", g)
	}
	if g.Shared < 1*mb || g.Alone < 10000 || g.Alone > kernelSize+initrdSize+1*mb {
		t.Errorf("%d bytes alone, %d shared", g.Alone, g.Shared)
	}

	// Back: no kernel is written, and nothing but an entry.
	var back staged
	m.must(&back, "rollback", "--boot", "--esp", m.esp)
	if back.Generation != 21 || back.System != must19(t, m) || back.ESPBytes > 8192 {
		t.Errorf("%+v", back)
	}
	if up := m.comesUp(); up != 21 {
		t.Errorf("generation %d came up", up)
	}
	m.must(&back, "rollback", "3", "--boot", "--esp", m.esp)
	if back.Generation != 22 || back.Tries != boot.Tries { // another kernel
		t.Errorf("%+v", back)
	}
	m.must(&back, "rollback", "--boot", "--esp", m.esp) // what runs is to stay
	if back.Generation != 23 || back.System != must19(t, m) {
		t.Errorf("%+v", back)
	}
	m.comesUp()

	// The machine's own repository went along; it is on the disk alone, too.
	if text, err := os.ReadFile(filepath.Join(m.store, "repository/stet.yaml")); err != nil || string(text) != "name: hello # 20" {
		t.Errorf("the machine's repository has %q, %v", text, err)
	}

	m.must(nil, "pin", "2")
	if r := m.stet("pin", "77"); r.code != 2 || !strings.Contains(r.stderr, "there is no generation 77") {
		t.Errorf("%+v", r)
	}
	var diff struct {
		Packages []struct{ Name, Old, New string }
		Files    []struct{ Path, Diff string }
		OldBytes int64 `json:"old_bytes"`
	}
	m.must(&diff, "diff", "2", "20")
	if len(diff.Packages) != 1 || diff.Packages[0].Old != "2" || diff.Packages[0].New != "20" || diff.OldBytes < kernelSize {
		t.Errorf("%+v", diff)
	}
	if !slices.ContainsFunc(diff.Files, func(f struct{ Path, Diff string }) bool {
		return f.Path == "/etc/motd" && strings.Contains(f.Diff, "-This is 2.\n+This is 20.\n")
	}) {
		t.Errorf("%+v", diff.Files)
	}

	var gone struct{ Generations []int }
	m.must(&gone, "gc", "--keep", "4", "--dry-run", "--esp", m.esp)
	before := m.photograph()
	m.must(&gone, "gc", "--keep", "4", "--esp", m.esp)
	if before == m.photograph() || len(gone.Generations) != 18 {
		t.Errorf("%v go", gone.Generations)
	}
	if l := m.list().String(); l != "2 good,pinned; 20 good; 21 good; 22 ; 23 booted,running,default,good" {
		t.Errorf("left are %s", l)
	}
	esp, err = boot.Read(m.esp, 0)
	must(t, err)
	if numbers := esp.Numbers(); len(numbers) != 5 || len(esp.Blobs) != 6 {
		t.Errorf("entries of %v, %d kernels and initrds", numbers, len(esp.Blobs))
	}
	m.isWhole()
	m.must(nil, "pin", "--remove", "2")

	m.recovers()
}

// must19 is the system of generation 19.
func must19(t *testing.T, m *machine) string {
	t.Helper()
	history, err := generation.In(m.store).List()
	must(t, err)
	g, err := history.Find(19)
	must(t, err)
	return g.System
}

// isWhole holds the store to having all of its generations.
func (m *machine) isWhole() {
	m.t.Helper()
	r := m.stet("verify")
	if r.code != 0 {
		m.t.Errorf("stet verify ended with %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// recovers gets the repository back from the disk, also when it is damaged.
func (m *machine) recovers() {
	m.t.Helper()
	unix.Sync()
	clone := filepath.Join(filepath.Dir(m.built), "again")
	var report struct {
		Generation  int
		Generations []struct{ Number int }
	}
	m.must(&report, "recover", m.image, clone)
	if report.Generation != 23 || len(report.Generations) != 5 {
		m.t.Errorf("%+v", report)
	}
	if text, err := os.ReadFile(filepath.Join(clone, "stet.yaml")); err != nil || string(text) != "name: hello # 19" {
		m.t.Errorf("the repository has %q, %v", text, err)
	}
	if out := program.Git(m.t, clone, "log", "--oneline"); strings.Count(out, "\n") != 18 {
		m.t.Errorf("its history is\n%s", out)
	}
	if out := program.Git(m.t, clone, "status", "--porcelain", "--branch"); out != "## main" {
		m.t.Errorf("its state is %q", out)
	}
	// A disk with partitions is looked through for the store.
	if r := m.stet("recover", m.image, clone); r.code != 2 || !strings.Contains(r.stderr, "there already") {
		m.t.Errorf("%+v", r)
	}
	history, err := generation.In(m.store).List()
	must(m.t, err)
	newest, _ := history.Newest()
	at := filepath.Join(m.store, "objects", newest.Bundle.String()[:2], newest.Bundle.String()[2:])
	must(m.t, os.Remove(at))
	must(m.t, os.WriteFile(at, []byte("damaged"), 0o600))
	m.must(&report, "recover", m.store, clone+"2")
	if report.Generation != 20 {
		m.t.Errorf("with a damaged bundle: %+v", report)
	}
}

// bytesMissing is how a refusal says what is missing.
var bytesMissing = regexp.MustCompile(`\d+ (bytes )?(and \d+ inodes )?are missing|\d+ inodes are missing`)

// refuses holds a command to being refused beforehand, with nothing changed.
func (m *machine) refuses(want string, args ...string) {
	m.t.Helper()
	before := m.photograph()
	r := m.stet(args...)
	if r.code != 1 || !strings.Contains(r.stderr, want) {
		m.t.Errorf("stet %v ended with %d, want it to say %q\n%s%s", args, r.code, want, r.stdout, r.stderr)
	}
	if after := m.photograph(); after != before {
		m.t.Errorf("stet %v changed something:\n%s\nand before\n%s", args, after, before)
	}
}

func TestAFullESP(t *testing.T) {
	m := newMachine(t, parts{store: 200 * mb, esp: 60 * mb})
	m.offers(nth(1), generation.Provenance{})
	m.boot()
	m.comesUp()
	must(t, os.WriteFile(filepath.Join(m.esp, "filler"), make([]byte, 30*mb), 0o644))
	m.offers(nth(4), generation.Provenance{})
	// What was taken is there, and needs not be taken again.
	if r := m.stet("boot", "--from", m.built, "--esp", m.esp); r.code != 1 || !bytesMissing.MatchString(r.stderr) {
		t.Errorf("%+v", r)
	}
	m.refuses("the ESP is too full", "boot", "--from", m.built, "--esp", m.esp)
	m.has(1)
	must(t, os.Remove(filepath.Join(m.esp, "filler")))
	m.boot()
	m.has(1, 2)
}

// has holds the machine to its generations, each with an entry.
func (m *machine) has(numbers ...int) {
	m.t.Helper()
	esp, err := boot.Read(m.esp, 0)
	must(m.t, err)
	history, err := generation.In(m.store).List()
	must(m.t, err)
	var have []int
	for _, g := range history.Generations {
		have = append(have, g.Number)
	}
	onESP := esp.Numbers()
	slices.Sort(onESP)
	if !slices.Equal(have, numbers) || !slices.Equal(onESP, numbers) {
		m.t.Errorf("generations %v, entries %v, want %v", have, onESP, numbers)
	}
	for name, blob := range esp.Blobs {
		if !blob.Whole {
			m.t.Errorf("%s is not whole", name)
		}
	}
}

func TestAFullStore(t *testing.T) {
	m := newMachine(t, parts{store: 60 * mb, esp: 200 * mb})
	m.offers(nth(1), generation.Provenance{})
	m.boot()
	m.comesUp()
	filler := filepath.Join(m.store, "filler")
	must(t, os.WriteFile(filler, make([]byte, 20*mb), 0o600))
	m.offers(nth(4), generation.Provenance{})
	r := m.stet("boot", "--from", m.built, "--esp", m.esp)
	if r.code != 1 || !bytesMissing.MatchString(r.stderr) || !strings.Contains(r.stderr, "stet gc") {
		t.Errorf("%+v", r)
	}
	m.refuses("is too full", "boot", "--from", m.built, "--esp", m.esp)
	m.has(1)
	must(t, os.Remove(filler))
	m.boot()
	m.has(1, 2)
}

func TestAStoreWithoutInodes(t *testing.T) {
	m := newMachine(t, parts{store: 100 * mb, esp: 200 * mb, inodes: 320})
	m.offers(nth(1), generation.Provenance{})
	m.boot()
	m.comesUp()
	for n := range 320 {
		if err := os.WriteFile(filepath.Join(m.store, fmt.Sprint("filler", n)), nil, 0o600); err != nil {
			break
		}
	}
	for n := range 8 {
		must(t, os.Remove(filepath.Join(m.store, fmt.Sprint("filler", n))))
	}
	m.offers(nth(2), generation.Provenance{})
	if r := m.stet("boot", "--from", m.built, "--esp", m.esp); r.code != 1 || !strings.Contains(r.stderr, "inodes are missing") {
		t.Errorf("%+v", r)
	}
	m.has(1)
	m.refuses("inodes are missing", "rollback", "1", "--boot", "--esp", m.esp)
}

func TestAReadOnlyStore(t *testing.T) {
	m := newMachine(t, parts{store: 100 * mb, esp: 200 * mb})
	m.offers(nth(1), generation.Provenance{})
	m.boot()
	m.comesUp()
	m.offers(nth(2), generation.Provenance{})
	run(t, "mount", "-o", "remount,ro", m.store)
	for _, args := range [][]string{
		{"boot", "--from", m.built, "--esp", m.esp}, {"rollback", "1", "--boot", "--esp", m.esp}, {"gc", "--keep", "1", "--esp", m.esp}, {"pin", "1"},
	} {
		m.refuses("read-only file system", args...)
	}
	run(t, "mount", "-o", "remount,rw", m.store)
	m.boot()
	m.has(1, 2)
}
