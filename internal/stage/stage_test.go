package stage_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stet/internal/boot"
	"stet/internal/fault"
	"stet/internal/generation"
	"stet/internal/source"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/system/systemtest"
)

// world is a machine: a store, a directory for its ESP, and systems.
type world struct {
	stage.Machine
	t *testing.T
}

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "stet"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	esp := filepath.Join(dir, "esp")
	if err := os.MkdirAll(esp, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	return &world{stage.Machine{Store: s, ESP: esp, Now: func() time.Time { return now }}, t}
}

func (w *world) system(of systemtest.System) string { return systemtest.Put(w.t, w.Store, of) }

func (w *world) stage(system, commit string) stage.Staged {
	w.t.Helper()
	staged, err := w.Stage(request(system, commit))
	if err != nil {
		w.t.Fatal(err)
	}
	return staged
}

func request(system, commit string) stage.Request {
	return stage.Request{System: system, Origin: generation.Boot, Provenance: generation.Provenance{Commit: source.Commit{ID: commit}, Lock: "10c4"}}
}

func (w *world) entries() (names []string) {
	w.t.Helper()
	esp, err := boot.Read(w.ESP, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range esp.Entries {
		names = append(names, f.String())
	}
	slices.Sort(names)
	return names
}

func (w *world) has(names ...string) {
	w.t.Helper()
	if got := w.entries(); !slices.Equal(got, names) {
		w.t.Errorf("entries %v, want %v", got, names)
	}
}

func (w *world) mark(number int, m generation.Mark, why string) {
	w.t.Helper()
	if err := generation.In(w.Store.Dir()).Set(number, m, why); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatIsStagedStartsNext(t *testing.T) {
	w := newWorld(t, t.TempDir())
	first := w.system(systemtest.System{Usr: map[string]string{"/a": "1"}})
	if got := w.stage(first, "c1"); !got.New || got.Number != 1 || !got.Counted || got.Bytes == 0 {
		t.Errorf("%+v", got)
	}
	if got := w.stage(first, "c1"); got.New || got.Number != 1 || got.Bytes != 0 {
		t.Errorf("the same once more: %+v", got)
	}
	w.has("stet-1+3.conf")

	// It came up. The next one has the same kernel, and is new all the same.
	w.mark(1, generation.Good, "")
	w.Booted, w.Running = 1, first
	second := w.system(systemtest.System{Usr: map[string]string{"/a": "2"}})
	if got := w.stage(second, "c2"); got.Number != 2 || !got.Counted {
		t.Errorf("%+v", got)
	}
	w.has("stet-1.conf", "stet-2+3.conf")

	// Another commit of the same system is a generation, and needs no proof.
	if got := w.stage(first, "c3"); !got.New || got.Number != 3 || got.Counted {
		t.Errorf("%+v", got)
	}
	w.has("stet-1.conf", "stet-2+3.conf", "stet-3.conf")

	// A proven system with another kernel than the running one is tried again.
	third := w.system(systemtest.System{Kernel: "another kernel"})
	w.stage(third, "c4")
	w.mark(4, generation.Good, "")
	if got := w.stage(third, "c5"); !got.Counted {
		t.Errorf("%+v", got)
	}
	w.mark(2, generation.Failed, "it did not come up")
	w.stage(third, "c5")
	w.has("stet-1.conf", "stet-3.conf", "stet-4.conf", "stet-5+3.conf")
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	w := newWorld(t, t.TempDir())
	digest := w.system(systemtest.System{Usr: map[string]string{"/a": "1"}})
	if err := os.Remove(w.Store.ObjectPath(systemtest.Object(t, w.Store, "1"))); err != nil {
		t.Fatal(err)
	}
	_, err := w.Stage(request(digest, "c1"))
	var incomplete *stage.IncompleteError
	if !errors.As(err, &incomplete) || len(incomplete.Missing) != 1 {
		t.Errorf("got %v", err)
	}
	w.unchanged()
}

// unchanged holds a machine without generations to that.
func (w *world) unchanged() {
	w.t.Helper()
	history, err := generation.In(w.Store.Dir()).List()
	if err != nil || len(history.Generations) != 0 {
		w.t.Errorf("there are generations: %+v, %v", history, err)
	}
	if left, err := os.ReadDir(w.ESP); err != nil || len(left) != 0 {
		w.t.Errorf("on the ESP there is %v, %v", left, err)
	}
}

func TestOneAtATime(t *testing.T) {
	w := newWorld(t, t.TempDir())
	digest := w.system(systemtest.System{})
	unlock, err := generation.In(w.Store.Dir()).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	var busy *generation.BusyError
	if _, err := w.Stage(request(digest, "c1")); !errors.As(err, &busy) {
		t.Errorf("got %v", err)
	}
	w.unchanged()
}

func TestWhatIsPreparedIsStaged(t *testing.T) {
	w := newWorld(t, t.TempDir())
	digest, other := w.system(systemtest.System{}), w.system(systemtest.System{Kernel: "another kernel"})
	prepared, err := w.Prepare(digest, "")
	if err != nil {
		t.Fatal(err)
	}
	var busy *generation.BusyError
	if _, err := w.Stage(request(digest, "c1")); !errors.As(err, &busy) {
		t.Errorf("meanwhile: %v", err)
	}
	if _, err := w.StagePrepared(request(other, "c1"), prepared); err == nil {
		t.Error("something else was staged than was prepared")
	}
	if staged, err := w.StagePrepared(request(digest, "c1"), prepared); err != nil || staged.Number != 1 {
		t.Errorf("%+v, %v", staged, err)
	}
	if err := prepared.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.stage(other, "c2"); got.Number != 2 {
		t.Errorf("afterwards: %+v", got)
	}
}

// Of a system that has replaced another, what came with it is looked at.
func TestWhatReplacedAnotherIsLookedAt(t *testing.T) {
	w := newWorld(t, t.TempDir())
	running := w.system(systemtest.System{Usr: map[string]string{"/a": "1"}})
	next := w.system(systemtest.System{Usr: map[string]string{"/a": "1"}, Etc: map[string]string{"/b": "2"}})
	for _, content := range []string{"1", "2"} {
		if err := os.Remove(w.Store.ObjectPath(systemtest.Object(t, w.Store, content))); err != nil {
			t.Fatal(err)
		}
	}
	var incomplete *stage.IncompleteError
	if _, err := w.Stage(request(next, "c1")); !errors.As(err, &incomplete) || len(incomplete.Missing) != 2 {
		t.Errorf("of what is only staged, not all is looked at: %v", err)
	}
	prepared, err := w.Prepare(next, running)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	if _, err := w.StagePrepared(request(next, "c1"), prepared); !errors.As(err, &incomplete) || len(incomplete.Missing) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestNumbersOfLostRecordsAreNotUsedAgain(t *testing.T) {
	w := newWorld(t, t.TempDir())
	first := w.system(systemtest.System{Usr: map[string]string{"/a": "1"}})
	w.stage(first, "c1")
	w.mark(1, generation.Good, "")
	w.stage(w.system(systemtest.System{Usr: map[string]string{"/a": "2"}}), "c2")
	if err := os.RemoveAll(generation.In(w.Store.Dir()).Path(2)); err != nil {
		t.Fatal(err)
	}
	if got := w.stage(first, "c3"); got.Number != 3 {
		t.Errorf("%+v", got)
	}
}

// TestKilledStaging kills a process at every moment that a reader could see.
// The machine starts the old one or the new one, and the next command finishes.
func TestKilledStaging(t *testing.T) {
	next := systemtest.System{Kernel: "kernel 2", Initrd: "initrd 2", Usr: map[string]string{"/a": "2"}}
	if dir := os.Getenv("STET_TEST_STAGE"); dir != "" {
		w := newWorld(t, dir)
		w.stage(w.system(next), "c2")
		return
	}
	for _, p := range []fault.Point{
		fault.GenerationPrepared, fault.GenerationRecorded, fault.KernelPlaced, fault.InitrdPlaced, fault.EntryHidden, fault.EntryPlaced,
	} {
		dir := t.TempDir()
		w := newWorld(t, dir)
		w.stage(w.system(systemtest.System{Usr: map[string]string{"/a": "1"}}), "c1")
		w.mark(1, generation.Good, "")
		again := exec.Command("/proc/self/exe", "-test.run=^TestKilledStaging$")
		again.Env = append(os.Environ(), "STET_FAULT="+string(p), "STET_TEST_STAGE="+dir)
		out, err := again.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it ended with %v\n%s", p, err, out)
		}
		if got := strings.Join(w.entries(), " "); !slices.Contains([]string{"stet-1+3.conf", "stet-1.conf", "stet-1.conf stet-2+3.conf"}, got) {
			t.Errorf("%s: entries %s", p, got)
		}
		if got := w.stage(w.system(next), "c2"); got.Number != 2 {
			t.Errorf("%s: then it is generation %d", p, got.Number)
		}
		w.has("stet-1.conf", "stet-2+3.conf")
	}
}
