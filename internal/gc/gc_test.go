package gc_test

import (
	"errors"
	"fmt"
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
	"stet/internal/gc"
	"stet/internal/generation"
	"stet/internal/source"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/system/systemtest"
	"stet/internal/verity"
)

var now = time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)

// world is a machine with five generations, one a week, of which each changed a
// file and the last two have another kernel.
type world struct {
	gc.Machine
	t       *testing.T
	systems []string
}

const day = 24 * time.Hour

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	w := openWorld(t, dir)
	for i := range 5 {
		n := i + 1
		w.Now = func() time.Time { return now.Add(-time.Duration(5-i) * 7 * day) }
		of := systemtest.System{Kernel: "kernel a", Usr: map[string]string{"/shared": "shared", "/own": fmt.Sprint("own ", n)}}
		if n > 3 {
			of.Kernel = "kernel b"
		}
		w.systems = append(w.systems, systemtest.Put(t, w.Store, of))
		r := stage.Request{System: w.systems[i], Origin: generation.Boot}
		r.Commit = source.Commit{ID: fmt.Sprint("commit ", n)}
		r.Bundle = systemtest.Object(t, w.Store, fmt.Sprint("bundle ", n))
		if _, err := w.Stage(r); err != nil {
			t.Fatal(err)
		}
		if n < 5 {
			w.mark(n, generation.Good)
		}
	}
	w.Booted, w.Standing = 4, gc.Machine{}.Standing
	w.Standing.Booted, w.Standing.Running, w.Standing.Default = 4, 4, 5
	return w
}

func openWorld(t *testing.T, dir string) *world {
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
	return &world{Machine: gc.Machine{Machine: stage.Machine{Store: s, ESP: esp}}, t: t}
}

func (w *world) mark(n int, m generation.Mark) {
	w.t.Helper()
	if err := generation.In(w.Store.Dir()).Set(n, m, ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) plan(p gc.Policy) *gc.Plan {
	w.t.Helper()
	p.Now = now
	plan, err := w.Plan(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

func (w *world) collect(p gc.Policy) *gc.Plan {
	w.t.Helper()
	plan := w.plan(p)
	if err := plan.CarryOut(w.Machine); err != nil {
		w.t.Fatal(err)
	}
	return plan
}

func (w *world) left() (numbers []int) {
	w.t.Helper()
	history, err := generation.In(w.Store.Dir()).List()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range history.Generations {
		numbers = append(numbers, g.Number)
	}
	return numbers
}

// whole holds a machine to having everything of its generations, and nothing of
// others.
func (w *world) whole() {
	w.t.Helper()
	left := w.left()
	for _, n := range left {
		if missing, err := w.Store.Missing(w.systems[n-1]); err != nil || len(missing) > 0 {
			w.t.Errorf("generation %d lacks %v, %v", n, missing, err)
		}
	}
	for n := 1; n <= len(w.systems); n++ {
		for _, content := range []string{fmt.Sprint("own ", n), fmt.Sprint("bundle ", n)} {
			if has := w.Store.Has(verity.Sum([]byte(content))); has != slices.Contains(left, n) {
				w.t.Errorf("generations %v are left, and that the store has %q is %v", left, content, has)
			}
		}
	}
	esp, err := boot.Read(w.ESP, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	numbers := esp.Numbers()
	slices.Sort(numbers)
	if !slices.Equal(numbers, left) {
		w.t.Errorf("generations %v are left, and entries of %v", left, numbers)
	}
	for at, blob := range esp.Blobs {
		if !blob.Whole {
			w.t.Errorf("%s is not whole", at)
		}
	}
}

func TestWithoutLimitsNoGenerationGoes(t *testing.T) {
	w := newWorld(t, t.TempDir())
	orphan := systemtest.Object(t, w.Store, "of nobody")
	p := w.collect(gc.Policy{})
	if len(p.Generations) != 0 || p.Store[store.Objects].Files != 1 || w.Store.Has(orphan) {
		t.Errorf("%+v", p)
	}
	w.whole()
}

func TestGenerationsGoByNumberAgeAndRoom(t *testing.T) {
	for _, c := range []struct {
		policy gc.Policy
		want   []int
	}{
		{gc.Policy{Keep: 3}, []int{1, 2}},
		{gc.Policy{Keep: 1}, []int{1, 2, 3}},
		{gc.Policy{OlderThan: 20 * day}, []int{1, 2, 3}},
		{gc.Policy{OlderThan: 30 * day}, []int{1}},
		{gc.Policy{OlderThan: 20 * day, Keep: 4}, []int{1}},
		{gc.Policy{OlderThan: 300 * day}, nil},
		{gc.Policy{Free: 1}, nil},
		{gc.Policy{Free: 1 << 60}, []int{1, 2, 3}},
	} {
		w := newWorld(t, t.TempDir())
		dry := w.plan(c.policy)
		p := w.collect(c.policy)
		if !slices.Equal(p.Generations, c.want) || !slices.Equal(dry.Generations, c.want) || dry.Bytes() != p.Bytes() {
			t.Errorf("%+v: %v go, and dry %v, want %v; %d bytes, and dry %d", c.policy, p.Generations, dry.Generations, c.want, p.Bytes(), dry.Bytes())
		}
		w.whole()
		if again := w.plan(c.policy); len(again.Generations) != 0 || again.Bytes() != 0 {
			t.Errorf("%+v: then again %+v", c.policy, again)
		}
	}
}

func TestWhatIsNeededNeverGoes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		stays  int
	}{
		"booted":          {func(w *world) { w.Standing.Booted = 1 }, 1},
		"running":         {func(w *world) { w.Standing.Running = 2 }, 2},
		"default":         {func(w *world) { w.Standing.Default = 3 }, 3},
		"pinned":          {func(w *world) { w.mark(2, generation.Pinned) }, 2},
		"last known good": {func(w *world) { w.mark(4, generation.Failed) }, 3},
		"a living process": {func(w *world) {
			w.Use.Images = map[verity.Digest]int{systemtest.Read(t, w.Store, w.systems[1]).Images["usr"]: 7}
		}, 2},
		"a tree that is mounted nowhere": {func(w *world) { w.Use.Detached, w.Standing.Booted = 7, 2 }, 3},
		"the newest":                     {func(w *world) { w.Standing.Default = 4 }, 5},
	} {
		w := newWorld(t, t.TempDir())
		c.change(w)
		p := w.plan(gc.Policy{Keep: 1})
		if slices.Contains(p.Generations, c.stays) || p.Protected[c.stays] == "" {
			t.Errorf("%s: %v go, %v stay", name, p.Generations, p.Protected)
		}
	}
}

// Neighbours share most images: that the booted one's are mounted keeps no other.
func TestMountedImagesKeepOneGenerationEach(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.Use.Images = map[verity.Digest]int{}
	for _, image := range systemtest.Read(t, w.Store, w.systems[3]).Images {
		w.Use.Images[image] = 1
	}
	tried := systemtest.Put(t, w.Store, systemtest.System{Usr: map[string]string{"/own": "tried"}})
	w.Use.Images[systemtest.Read(t, w.Store, tried).Images["usr"]] = 9
	p := w.collect(gc.Policy{Keep: 1})
	if !slices.Equal(p.Generations, []int{1, 2, 3}) {
		t.Errorf("%v go, %v stay", p.Generations, p.Protected)
	}
	if missing, err := w.Store.Missing(tried); err != nil || len(missing) > 0 {
		t.Errorf("a system that is tried lacks %v, %v", missing, err)
	}
	w.whole()
}

// What a try goes back to need be no generation: a machine that was given a kernel
// and a disk has none, and a switch without an ESP records none.
func TestATryKeepsWhatItGoesBackTo(t *testing.T) {
	w := newWorld(t, t.TempDir())
	before := systemtest.Put(t, w.Store, systemtest.System{Usr: map[string]string{"/own": "before"}})
	tried := systemtest.Put(t, w.Store, systemtest.System{Usr: map[string]string{"/own": "tried"}})
	w.Tried = []string{tried, before}
	w.collect(gc.Policy{})
	for _, system := range w.Tried {
		if missing, err := w.Store.Missing(system); err != nil || len(missing) > 0 {
			t.Errorf("%.12s lacks %v, %v", system, missing, err)
		}
	}
	w.Tried = nil
	w.collect(gc.Policy{})
	for _, system := range []string{tried, before} {
		if _, err := w.Store.System(system); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%.12s is there when the try is over: %v", system, err)
		}
	}
	w.whole()
}

func TestNothingGoesWhileSomethingCannotBeRead(t *testing.T) {
	w := newWorld(t, t.TempDir())
	record := filepath.Join(generation.In(w.Store.Dir()).Path(2), "record.json")
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var unknown *gc.UnknownError
	if _, err := w.Plan(t.Context(), gc.Policy{Now: now, Keep: 1}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "generation 2") {
		t.Errorf("a damaged record: %v", err)
	}
	if p := w.plan(gc.Policy{Keep: 4, Damaged: true}); !slices.Equal(p.Generations, []int{2}) {
		t.Errorf("%v go", p.Generations)
	}
	if err := os.WriteFile(record, text, 0o600); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(w.Store.Dir(), "trees", systemtest.Read(t, w.Store, w.systems[2]).Trees["usr"])
	if err := os.WriteFile(tree, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Plan(t.Context(), gc.Policy{Now: now, Keep: 4}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "generation 3") {
		t.Errorf("a damaged tree: %v", err)
	}
	if p := w.plan(gc.Policy{Keep: 1}); !slices.Equal(p.Generations, []int{1, 2, 3}) {
		t.Errorf("what goes need not be read: %v go", p.Generations)
	}
}

func TestSavedUppersGoByAge(t *testing.T) {
	w := newWorld(t, t.TempDir())
	for n, age := range map[int]time.Duration{1: 50 * day, 2: 40 * day, 3: 10 * day, 4: 45 * day} {
		dir := filepath.Join(w.Store.Dir(), "state/etc", fmt.Sprint(n))
		image := filepath.Join(dir, "image")
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "upper"), 0o755), os.WriteFile(image, nil, 0o644), os.Chtimes(image, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	w.Use.Uppers = map[string]bool{"2": true}
	if p := w.collect(gc.Policy{OlderThan: 30 * day}); !slices.Equal(p.Uppers, []int{1}) {
		t.Errorf("%v go", p.Uppers)
	}
	if left, _ := os.ReadDir(filepath.Join(w.Store.Dir(), "state/etc")); len(left) != 3 {
		t.Errorf("left are %v", left)
	}
}

func TestABuildHost(t *testing.T) {
	w := openWorld(t, t.TempDir())
	kept, gone := systemtest.Put(t, w.Store, systemtest.System{Kernel: "kept"}), systemtest.Put(t, w.Store, systemtest.System{Kernel: "gone"})
	unpacked := systemtest.Object(t, w.Store, "unpacked")
	file := func(name, text string, age time.Duration) {
		t.Helper()
		name = filepath.Join(w.Store.Dir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600), os.Chtimes(name, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	file("roots/a", `{"format":1,"system":"`+kept+`"}`, day)
	file("roots/b", `{"format":1,"system":"`+gone+`"}`, 40*day)
	file("memo/unpack/x", `{"files":"`+unpacked.String()+`"}`, day)
	file("memo/system/y", `{"digest":"`+gone+`"}`, 40*day)
	file("mirror/debs/old.deb", "deb", 40*day)
	file("mirror/debs/new.deb", "deb", day)
	file("booted/a-1/state.json", `{"system":"`+kept+` with stet"}`, day)
	file("booted/b-1/state.json", `{"system":"`+gone+` with stet"}`, day)
	file("booted/a-2/state.json", `{"system":"`+kept+` with stet"}`, 40*day)
	states := func() (names []string) {
		entries, _ := os.ReadDir(filepath.Join(w.Store.Dir(), "booted"))
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	w.ESP = ""
	if p := w.collect(gc.Policy{}); p.Bytes() != 0 {
		t.Errorf("%+v", p)
	}
	file("booted/c-1/memory", "never finished", day)
	if p := w.collect(gc.Policy{}); p.Bytes() == 0 || !slices.Equal(states(), []string{"a-1", "a-2", "b-1"}) {
		t.Errorf("%d bytes; left are the states %v", p.Bytes(), states())
	}
	w.collect(gc.Policy{OlderThan: 30 * day})
	for content, want := range map[string]bool{"kept": true, "gone": false, "unpacked": true} {
		if w.Store.Has(verity.Sum([]byte(content))) != want {
			t.Errorf("%s: that the store has it is not %v", content, want)
		}
	}
	if missing, err := w.Store.Missing(kept); err != nil || len(missing) > 0 {
		t.Errorf("it lacks %v, %v", missing, err)
	}
	if left, _ := os.ReadDir(filepath.Join(w.Store.Dir(), "mirror/debs")); len(left) != 1 {
		t.Errorf("packages: %v", left)
	}
	if left := states(); !slices.Equal(left, []string{"a-1"}) {
		t.Errorf("left are the states %v", left)
	}
}

// TestKilledCollections kills a process at every moment that a reader could
// see: the store works, and the next one finishes.
func TestKilledCollections(t *testing.T) {
	policy := gc.Policy{Now: now, OlderThan: 20 * day}
	if dir := os.Getenv("STET_TEST_GC"); dir != "" {
		w := openWorld(t, dir)
		w.Booted, w.Standing.Booted, w.Standing.Running, w.Standing.Default = 4, 4, 4, 5
		w.collect(policy)
		return
	}
	for _, at := range []fault.Point{fault.EntryRemoved, fault.BlobRemoved, fault.RecordRemoved, fault.AgedRemoved, fault.UpperRemoved, fault.ObjectRemoved} {
		dir := t.TempDir()
		w := newWorld(t, dir)
		for _, name := range []string{"roots/a", "state/etc/1/image", "state/etc/2/image"} {
			name = filepath.Join(w.Store.Dir(), name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, nil, 0o600), os.Chtimes(name, now.Add(-40*day), now.Add(-40*day))); err != nil {
				t.Fatal(err)
			}
		}
		again := exec.Command("/proc/self/exe", "-test.run=^TestKilledCollections$")
		again.Env = append(os.Environ(), "STET_FAULT="+string(at), "STET_TEST_GC="+dir)
		out, err := again.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it ended with %v\n%s", at, err, out)
		}
		for _, n := range []int{4, 5} {
			if missing, err := w.Store.Missing(w.systems[n-1]); err != nil || len(missing) > 0 {
				t.Errorf("%s: generation %d lacks %v, %v", at, n, missing, err)
			}
		}
		unlock, err := generation.In(w.Store.Dir()).Lock()
		if err != nil {
			t.Fatal(err)
		}
		_ = unlock()
		w.collect(policy)
		w.whole()
		if got := w.left(); !slices.Equal(got, []int{4, 5}) {
			t.Errorf("%s: left are %v", at, got)
		}
	}
}
