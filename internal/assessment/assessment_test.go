package assessment

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/boot"
	"stet/internal/generation"
)

// world is a machine's ESP and generations, and the boot loader that counts.
type world struct {
	*testing.T
	esp         string
	generations generation.Directory
	booted      int
}

// newWorld has an entry of each name, and its generation.
func newWorld(t *testing.T, entries ...string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, esp: filepath.Join(dir, "esp"), generations: generation.In(dir)}
	if err := os.MkdirAll(filepath.Join(w.esp, boot.EntriesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		w.entry(name)
		n, _ := boot.ParseName(name)
		record := generation.Record{Number: n.Generation, System: strings.Repeat("a", 64), Date: time.Unix(1, 0), Origin: generation.Boot}
		if err := w.generations.Add(record); err != nil {
			t.Fatal(err)
		}
		if !n.Counted {
			w.set(n.Generation, generation.Good, "")
		}
	}
	return w
}

func (w *world) entry(name string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.esp, boot.EntriesDir, name), []byte("title x\n"), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) set(number int, m generation.Mark, why string) {
	w.Helper()
	if err := w.generations.Set(number, m, why); err != nil {
		w.Fatal(err)
	}
}

func (w *world) names() []string {
	w.Helper()
	esp, err := boot.ReadNames(w.esp)
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, f := range esp.Entries {
		names = append(names, f.String())
	}
	slices.Sort(names)
	return names
}

// boots does what systemd-boot does: it takes the first entry and counts the
// try.
func (w *world) boots() Machine {
	w.Helper()
	esp, err := boot.ReadNames(w.esp)
	if err != nil {
		w.Fatal(err)
	}
	w.booted = esp.Default()
	for _, n := range esp.Of(w.booted) {
		if n.Counted && n.Left > 0 {
			tried := boot.Name{Generation: n.Generation, Counted: true, Left: n.Left - 1, Done: n.Done + 1}
			if err := os.Rename(filepath.Join(w.esp, boot.EntriesDir, n.String()), filepath.Join(w.esp, boot.EntriesDir, tried.String())); err != nil {
				w.Fatal(err)
			}
		}
	}
	return w.machine()
}

func (w *world) machine() Machine {
	return Machine{ESP: w.esp, Generations: w.generations, Booted: w.booted}
}

func (w *world) find(number int) generation.Generation {
	w.Helper()
	h, err := w.generations.List()
	if err != nil {
		w.Fatal(err)
	}
	g, err := h.Find(number)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) expect(booted int, entries ...string) {
	w.Helper()
	if got := w.names(); w.booted != booted || !slices.Equal(got, entries) {
		w.Errorf("generation %d was booted, and there are %v; want %d, %v", w.booted, got, booted, entries)
	}
}

func silent(int) string { return "" }

func (w *world) good(m Machine) {
	w.Helper()
	if err := m.Good(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) fallen(m Machine, words func(int) string, want ...int) {
	w.Helper()
	if got, err := m.Fallen(words); err != nil || !slices.Equal(got, want) {
		w.Errorf("fallen are %v, want %v (%v)", got, want, err)
	}
}

func TestAHealthyGenerationLosesItsCounterForEver(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2+3.conf")
	m := w.boots()
	w.expect(2, "stet-1.conf", "stet-2+2-1.conf")
	w.good(m)
	w.good(m) // a switch may start the unit again
	w.expect(2, "stet-1.conf", "stet-2.conf")
	if g := w.find(2); !g.Good {
		t.Error("it is not marked good")
	}
	for range 5 { // whatever happens later, there is nothing to count
		m = w.boots()
		if o, err := m.Unwell("late trouble"); err != nil || o.Tried || o.GoesBack() || o.String() != "it stays, because it was good before" {
			t.Errorf("%+v: %s (%v)", o, o, err)
		}
		w.expect(2, "stet-1.conf", "stet-2.conf")
	}
	if g := w.find(2); g.Unwell != "" || g.Failed != "" {
		t.Errorf("it is marked: %+v", g)
	}
}

func TestASickGenerationGoesBackWithinItsTries(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2+3.conf")
	for try, says := range []string{"it is tried 2 times more before generation 1 starts", "it is tried once more before generation 1 starts", "generation 1 starts next"} {
		m := w.boots()
		w.fallen(m, silent) // not even in its last try
		o, err := m.Unwell(fmt.Sprintf("trouble %d", try+1))
		if err != nil || !o.GoesBack() || o.String() != says || o.Left != 2-try {
			t.Errorf("try %d: %+v: %s (%v)", try+1, o, o, err)
		}
	}
	m := w.boots()
	w.expect(1, "stet-1.conf", "stet-2+0-3.conf")
	w.fallen(m, func(int) string { t.Error("the journal was asked though the reason is known"); return "" }, 2)
	if g := w.find(2); g.Failed != "trouble 3" {
		t.Errorf("it failed because of %q", g.Failed)
	}
	w.fallen(w.boots(), silent)
	w.expect(1, "stet-1.conf", "stet-2+0-3.conf")
}

func TestWhoSaysNothingIsLookedUp(t *testing.T) {
	for words, want := range map[string]string{
		"Kernel panic":     "Kernel panic",
		"":                 "none of its tries reached the journal: its kernel or its init did not start",
		"x.service failed": "x.service failed",
	} {
		w := newWorld(t, "stet-1.conf", "stet-2+3.conf")
		for range 3 {
			w.boots() // and nothing more is heard of it
		}
		w.fallen(w.boots(), func(n int) string {
			if n != 2 {
				t.Errorf("the journal is asked about generation %d", n)
			}
			return words
		}, 2)
		if g := w.find(2); g.Failed != want {
			t.Errorf("it failed because of %q, want %q", g.Failed, want)
		}
	}
}

func TestTheLastTryCounts(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2+1-2.conf")
	w.set(2, generation.Unwell, "the try before")
	m := w.boots()
	w.expect(2, "stet-1.conf", "stet-2+0-3.conf")
	w.fallen(m, silent)
	w.good(m)
	w.expect(2, "stet-1.conf", "stet-2.conf")
	if g := w.find(2); g.Unwell != "" || g.Failed != "" || !g.Good {
		t.Errorf("it is %+v", g)
	}
}

func TestItStaysWhereNothingElseWorks(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		change  func(*world)
	}{
		{"an only generation", []string{"stet-1+3.conf"}, nil},
		{"the other is tried, too", []string{"stet-1+3.conf", "stet-2+3.conf"}, nil},
		{"the other was given up", []string{"stet-1+0-3.conf", "stet-2+3.conf"}, nil},
		{"the other has no entry", []string{"stet-1.conf", "stet-2+3.conf"}, func(w *world) { w.remove("stet-1.conf") }},
		{"the other failed in a switch", []string{"stet-1.conf", "stet-2+3.conf"}, func(w *world) { w.set(1, generation.Failed, "x") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.entries...)
			if c.change != nil {
				c.change(w)
			}
			o, err := w.boots().Unwell("trouble")
			if err != nil || !o.Tried || o.GoesBack() || o.String() != "it stays, because no other generation is known to work" {
				t.Errorf("%+v: %s (%v)", o, o, err)
			}
		})
	}
}

func (w *world) remove(name string) {
	w.Helper()
	if err := os.Remove(filepath.Join(w.esp, boot.EntriesDir, name)); err != nil {
		w.Fatal(err)
	}
}

func TestAGenerationThatIsChosenByHandIsForgiven(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2+0-3.conf")
	w.set(2, generation.Failed, "trouble")
	w.booted = 2
	w.good(w.machine())
	w.expect(2, "stet-1.conf", "stet-2.conf")
	if g := w.find(2); !g.Good || g.Failed != "" {
		t.Errorf("it is %+v", g)
	}
}

// TestPowerFailsBetweenMarkAndCounter: the mark is first, so that the counter,
// which goes on counting, is taken at the next boot.
func TestPowerFailsBetweenMarkAndCounter(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2+3.conf")
	w.boots()
	w.set(2, generation.Good, "")
	m := w.boots()
	w.expect(2, "stet-1.conf", "stet-2+1-2.conf")
	w.good(m)
	w.expect(2, "stet-1.conf", "stet-2.conf")
}

// TestAPlainAndACountedName are what a rename leaves on FAT at a bad moment.
func TestAPlainAndACountedName(t *testing.T) {
	w := newWorld(t, "stet-1.conf", "stet-2.conf")
	w.entry("stet-2+2-1.conf")
	w.booted = 2
	if o, err := w.machine().Outlook(); err != nil || o.Tried {
		t.Errorf("%+v, %v", o, err)
	}
	w.good(w.machine())
	w.expect(2, "stet-1.conf", "stet-2.conf")
}

func TestEntriesOfNoGenerationAreNotJudged(t *testing.T) {
	w := newWorld(t, "stet-1.conf")
	w.entry("stet-9+0-3.conf")
	w.fallen(w.boots(), silent)
}

func TestAMachineWithoutItsRecordIsAnError(t *testing.T) {
	w := newWorld(t, "stet-1.conf")
	w.booted = 7
	if err := w.machine().Good(); err == nil || !strings.Contains(err.Error(), "no generation 7") {
		t.Errorf("got %v", err)
	}
}
