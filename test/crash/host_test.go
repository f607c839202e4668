//go:build long

package crash

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stet/internal/boot"
	"stet/internal/fault"
	"stet/internal/generation"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// host is where systems are built, and staged onto a directory that stands for
// an ESP: stet does there what it does on a machine.
type host struct {
	program.Program
	store, esp string
	text       string // of the configuration
}

// newHost has a store that remembers nothing.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{Program: program.Example(t, "minimal"), store: filepath.Join(t.TempDir(), "store"), esp: t.TempDir()}
	h.GiveDebs(t, h.store)
	return h.open(t)
}

// newWarmHost has a store that has built the machine before.
func newWarmHost(t *testing.T) *host {
	t.Helper()
	h := &host{Program: program.Example(t, "minimal"), store: filepath.Join(t.TempDir(), "store"), esp: t.TempDir()}
	h.Build(t)
	if err := os.Mkdir(h.store, 0o700); err != nil {
		t.Fatal(err)
	}
	// What names others comes before what it names: other tests build in that store.
	for _, kind := range []string{"format.json", "memo", "systems", "images", "trees", "objects"} {
		from := filepath.Join(h.Store(t), kind)
		if _, code := try("cp", "-al", from, h.store); code != 0 { // links cannot be everywhere
			if out, code := try("cp", "-a", from, h.store); code != 0 {
				t.Fatal(out)
			}
		}
	}
	h.GiveDebs(t, h.store)
	return h.open(t)
}

func (h *host) open(t *testing.T) *host {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	h.text = string(text) + "disk: {size: 2G, esp: 128M}\n"
	h.Program = h.With("STET_STORE=" + h.store)
	return h
}

// declare makes the machine another one; with modules, one with another initrd.
func (h *host) declare(t *testing.T, word string, modules ...string) {
	t.Helper()
	kernel := "[" + strings.Join(modules, ", ") + "]"
	text := strings.Replace(h.text, "kernel: {", "kernel: {modules: "+kernel+", ", 1) + "files: {/etc/motd: {text: \"" + word + "\\n\"}}\n"
	if err := os.WriteFile(filepath.Join(h.Dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// dies runs stet, which dies at the point, if it comes there, or when ctx ends;
// it reports whether it did. If not, it must have succeeded.
func (h *host) dies(ctx context.Context, t *testing.T, p fault.Point, args ...string) bool {
	t.Helper()
	var stderr bytes.Buffer
	cmd := h.With("STET_FAULT="+string(p)).Command(ctx, args...) // ctx ends with SIGKILL
	cmd.Stderr = &stderr
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil && !cmd.ProcessState.Success() { // it can end by itself just when ctx does
		t.Fatalf("stet %v: %v\n%s", args, err, stderr.String())
	}
	return false
}

// starts gives the system that the boot loader would start; "" when there is no
// entry. It fails unless everything of it is there.
func starts(t *testing.T, espDir, storeDir string) (system string, number int) {
	t.Helper()
	esp, err := boot.Read(espDir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if number = esp.Default(); number == 0 {
		return "", 0
	}
	history, err := generation.In(storeDir).List()
	if err != nil || len(history.Damaged) > 0 {
		t.Fatalf("generations cannot be read: %v %v", err, history.Damaged)
	}
	g, err := history.Find(number)
	if err != nil {
		t.Fatalf("the boot loader would start it: %v", err)
	}
	for _, f := range esp.Entries {
		if f.Generation != number {
			continue
		}
		if !strings.Contains(f.Text, "stet.system="+g.System+" stet.generation="+strconv.Itoa(number)+"\n") {
			t.Errorf("generation %d has another entry, %s:\n%s", number, f.Name, f.Text)
		}
		for line := range strings.Lines(f.Text) {
			key, path, _ := strings.Cut(strings.TrimSpace(line), " /")
			if (key == "linux" || key == "initrd") && !esp.Blobs[path].Whole {
				t.Errorf("generation %d would start with %s, which is not whole", number, path)
			}
		}
	}
	s, err := store.Open(storeDir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if missing, err := s.Missing(g.System); err != nil || len(missing) > 0 {
		t.Errorf("generation %d lacks %v (%v)", number, missing, err)
	}
	return g.System, number
}

// expectOne fails unless what starts is one of the systems.
func (h *host) expectOne(t *testing.T, when string, systems ...string) {
	t.Helper()
	if have, _ := starts(t, h.esp, h.store); !slices.Contains(systems, have) {
		t.Errorf("%s: the boot loader would start system %.12s, want one of %.12s", when, have, systems)
	}
}

// isTidy fails when anything is left that no command would take away: a collection
// that has just ended leaves nothing to the next one.
func (h *host) isTidy(t *testing.T) {
	t.Helper()
	for _, dir := range []string{filepath.Join(h.store, "tmp"), filepath.Join(h.store, "generations"), filepath.Join(h.esp, boot.EntriesDir), filepath.Join(h.esp, boot.BlobsDir)} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // only a machine has all of them
			t.Error(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || filepath.Base(dir) == "tmp" {
				t.Errorf("%s is left in %s", e.Name(), dir)
			}
		}
	}
}
