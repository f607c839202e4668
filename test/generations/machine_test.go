package generations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/boot"
	"stet/internal/cli"
	"stet/internal/generation"
	"stet/internal/handover"
	"stet/internal/mount/mounttest"
	"stet/internal/source"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system/systemtest"
	"stet/test/program"
)

// TestMain runs the tests in a mount namespace of their own.
func TestMain(m *testing.M) { mounttest.MainOfRoot(m) }

const mb = 1000 * 1000

// machine is one whose parts are directories here: the store is an ext4 and the
// ESP a tmpfs, both of a fixed size. Its kernel is the host's.
type machine struct {
	t     *testing.T
	root  string // with /proc and /run of the machine
	store string
	image string // the file that the store is on
	esp   string
	built string // a store elsewhere, where systems come from
	now   time.Time
}

// parts are the sizes of a machine's file systems.
type parts struct {
	store, esp int64
	inodes     int // of the store
}

func newMachine(t *testing.T, p parts) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{
		t: t, root: filepath.Join(dir, "root"), store: filepath.Join(dir, "stet"), image: filepath.Join(dir, "disk"), esp: filepath.Join(dir, "efi"),
		built: filepath.Join(dir, "built"), now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
	}
	for _, name := range []string{"root/proc", "root/run/stet", "stet", "efi", "built"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	must(t, os.WriteFile(m.image, nil, 0o600))
	must(t, os.Truncate(m.image, p.store))
	format := []string{"-q", "-F", "-m", "0", "-b", "4096", "-O", "verity"}
	if p.inodes > 0 {
		format = append(format, "-N", fmt.Sprint(p.inodes))
	}
	run(t, "mkfs.ext4", append(format, m.image)...)
	run(t, "mount", "-o", "loop", m.image, m.store)
	t.Cleanup(func() { run(t, "umount", m.store) })
	must(t, unix.Mount("tmpfs", m.esp, "tmpfs", 0, fmt.Sprintf("size=%d", p.esp)))
	t.Cleanup(func() { must(t, unix.Unmount(m.esp, 0)) })
	must(t, os.MkdirAll(filepath.Join(m.esp, "loader"), 0o755))
	must(t, os.WriteFile(filepath.Join(m.esp, "loader/loader.conf"), []byte("timeout 3\n"), 0o644))
	m.runs(0, "")
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// runs is what a boot leaves: which generation was booted, and what runs.
func (m *machine) runs(number int, system string) {
	m.t.Helper()
	line := "quiet"
	if number != 0 {
		line = fmt.Sprintf("quiet stet.system=%s stet.generation=%d", system, number)
		record := state.Boot{Machine: "hello", System: system}.Bytes()
		must(m.t, os.WriteFile(filepath.Join(m.root, state.BootFile), record, 0o644))
	}
	must(m.t, os.WriteFile(filepath.Join(m.root, "proc/cmdline"), []byte(line+"\n"), 0o644))
}

// result is what a command gave.
type result struct {
	code           int
	stdout, stderr string
}

// stet runs a command line on the machine.
func (m *machine) stet(args ...string) result {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	m.now = m.now.Add(time.Hour)
	code := cli.Run(context.Background(), cli.Environment{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Dir: m.root, Root: m.root,
		Getenv: func(name string) string { return map[string]string{"STET_STORE": m.store}[name] },
		Now:    func() time.Time { return m.now },
	}, args)
	return result{code, stdout.String(), stderr.String()}
}

// must runs a command that has to succeed, and reads its document into v.
func (m *machine) must(v any, args ...string) {
	m.t.Helper()
	r := m.stet(append(args, "--json")...)
	if r.code != 0 {
		m.t.Fatalf("stet %v ended with %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	if v != nil {
		must(m.t, json.Unmarshal([]byte(r.stdout), v))
	}
}

type staged struct {
	Generation, Tries int
	System            string
	ESPBytes          int64 `json:"esp_bytes"`
	Repository        string
}

// offers makes a system elsewhere, in the directory from which it is taken.
func (m *machine) offers(of systemtest.System, p generation.Provenance) string {
	m.t.Helper()
	s, err := store.Open(m.built)
	must(m.t, err)
	defer s.Close()
	digest := systemtest.Put(m.t, s, of)
	must(m.t, s.Sync())
	offer, err := handover.Make(s, digest, p)
	must(m.t, err)
	must(m.t, handover.WriteOffer(m.built, offer))
	return digest
}

func (m *machine) boot() (s staged) {
	m.t.Helper()
	m.must(&s, "boot", "--from", m.built, "--esp", m.esp)
	return s
}

// comesUp is what the boot loader does, and then a machine that is well.
func (m *machine) comesUp() (number int) {
	m.t.Helper()
	esp, err := boot.Read(m.esp, 0)
	must(m.t, err)
	number = esp.Default()
	history, err := generation.In(m.store).List()
	must(m.t, err)
	g, err := history.Find(number)
	must(m.t, err)
	m.runs(number, g.System)
	must(m.t, generation.In(m.store).Set(number, generation.Good, ""))
	return number
}

type listed struct {
	Generations []struct {
		Number     int
		States     []string
		RollbackOf int   `json:"rollback_of"`
		Alone      int64 `json:"bytes_alone"`
		Shared     int64 `json:"bytes_shared"`
		Commit     string
		Subject    string
		Changed    int `json:"packages_changed"`
		Kernel     string
		Problem    string
	}
	Damaged []struct{ Number int }
}

func (m *machine) list() (l listed) {
	m.t.Helper()
	m.must(&l, "generations", "--esp", m.esp)
	return l
}

func (l listed) String() string {
	var words []string
	for _, g := range l.Generations {
		words = append(words, fmt.Sprintf("%d %s", g.Number, strings.Join(g.States, ",")))
	}
	return strings.Join(words, "; ")
}

// noise is a content of a size that is like nothing else.
func noise(seed uint64, size int) string {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	text := make([]byte, size)
	_, _ = r.Read(text)
	return string(text)
}

// status is dpkg's list of packages.
func status(version string) map[string]string {
	return map[string]string{"/lib/sysimage/dpkg/status": fmt.Sprintf(
		"Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\nPackage: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\n", version)}
}

// repository makes a commit, and gives its provenance with a bundle in the store
// that systems come from.
func (m *machine) repository(text string) generation.Provenance {
	m.t.Helper()
	dir := filepath.Join(filepath.Dir(m.built), "repository")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		must(m.t, source.Init(m.t.Context(), dir))
	}
	must(m.t, os.WriteFile(filepath.Join(dir, "stet.yaml"), []byte(text), 0o644))
	program.Git(m.t, dir, "add", ".")
	program.Git(m.t, dir, "commit", "-q", "-m", text)
	var bundle bytes.Buffer
	must(m.t, source.Bundle(context.Background(), dir, &bundle))
	commit, err := source.Describe(context.Background(), dir)
	must(m.t, err)
	s, err := store.Open(m.built)
	must(m.t, err)
	defer s.Close()
	return generation.Provenance{Commit: commit, Bundle: systemtest.Object(m.t, s, bundle.String())}
}

// photograph gives all that can be seen of the machine's disk.
func (m *machine) photograph() string {
	m.t.Helper()
	var text strings.Builder
	for _, dir := range []string{m.esp, filepath.Join(m.store, "generations"), filepath.Join(m.store, "systems"), filepath.Join(m.store, "objects")} {
		must(m.t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			info, err := entry.Info()
			if err == nil && !entry.IsDir() {
				fmt.Fprintln(&text, name, info.Size(), info.ModTime().UnixNano())
			}
			return err
		}))
	}
	return text.String()
}
