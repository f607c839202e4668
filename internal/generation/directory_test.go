package generation

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

	"stet/internal/fault"
)

var moment = time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)

func recordOf(number int, origin Origin) Record {
	return Record{Format: recordFormat, Number: number, System: system, Date: moment, Origin: origin}
}

func add(t *testing.T, d Directory, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if err := d.Add(recordOf(n, Boot)); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, d Directory) History {
	t.Helper()
	h, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func numbers(h History) (all []int) {
	for _, g := range h.Generations {
		all = append(all, g.Number)
	}
	return all
}

func TestAMachineWithoutGenerations(t *testing.T) {
	h := list(t, In(t.TempDir()))
	if _, ok := h.Newest(); ok || h.Next() != 1 || h.LastGood(Standing{}) != 0 {
		t.Errorf("%+v", h)
	}
	if _, err := h.Find(1); err == nil || !strings.Contains(err.Error(), "there is no generation 1") {
		t.Error(err)
	}
}

func TestGenerationsAreListedInOrder(t *testing.T) {
	d := In(t.TempDir())
	add(t, d, 1, 2, 10, 9)
	h := list(t, d)
	if got := numbers(h); !slices.Equal(got, []int{1, 2, 9, 10}) || h.Next() != 11 {
		t.Errorf("%v, next %d", got, h.Next())
	}
	if h.Next(4, 17) != 18 {
		t.Errorf("with an entry of generation 17 left, the next is %d", h.Next(4, 17))
	}
	if err := d.Add(recordOf(9, Boot)); !errors.Is(err, os.ErrExist) {
		t.Errorf("a number is given twice: %v", err)
	}
	if got := numbers(list(t, d)); !slices.Equal(got, []int{1, 2, 9, 10}) {
		t.Errorf("then there are %v", got)
	}
}

func TestMarks(t *testing.T) {
	d := In(t.TempDir())
	add(t, d, 1, 2)
	for range 2 {
		for _, err := range []error{d.Set(1, Good, ""), d.Set(2, Failed, "nginx.service did not start"), d.Set(2, Pinned, "")} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	h := list(t, d)
	if g := h.Generations[0]; !g.Good || g.Failed != "" || g.Pinned {
		t.Errorf("%+v", g)
	}
	if g := h.Generations[1]; g.Good || g.Failed != "nginx.service did not start" || !g.Pinned {
		t.Errorf("%+v", g)
	}
	for range 2 {
		if err := d.Clear(2, Pinned); err != nil {
			t.Fatal(err)
		}
	}
	if g := list(t, d).Generations[1]; g.Pinned {
		t.Error("it is still pinned")
	}
	if d.Set(3, Pinned, "") == nil || d.Clear(3, Pinned) == nil {
		t.Error("a generation that there is not was marked")
	}
}

func TestDamagedRecordsAreNamed(t *testing.T) {
	d := In(t.TempDir())
	add(t, d, 1, 2, 3, 4)
	for name, text := range map[string]string{
		filepath.Join(d.Path(2), recordFile): "",
		filepath.Join(d.Path(3), recordFile): strings.Replace(golden, `"number": 7`, `"number": 8`, 1),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(d.Path(4), recordFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.Path(1)), "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := list(t, d)
	if len(h.Generations) != 1 || len(h.Damaged) != 3 || h.Damaged[0].Number != 2 || h.Damaged[2].Number != 4 {
		t.Errorf("%+v", h)
	}
	if h.Next() != 5 {
		t.Errorf("the number of a damaged generation is given again: %d", h.Next())
	}
	if _, err := h.Find(3); err == nil || !strings.Contains(err.Error(), "generation 3 is damaged") {
		t.Error(err)
	}
}

func TestOnlyOneChangesGenerations(t *testing.T) {
	d := In(t.TempDir())
	unlock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := d.Lock(); !errors.As(err, &busy) {
		t.Errorf("locked twice: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = d.Lock(); err != nil {
		t.Fatal(err)
	}
	_ = unlock()
}

// TestKilledChanges kills a process at every moment that a reader could see.
// Whoever comes after it finds the state before or after, and nothing else.
func TestKilledChanges(t *testing.T) {
	if dir := os.Getenv("STET_TEST_GENERATIONS"); dir != "" {
		d := In(dir)
		unlock, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		add(t, d, 3)
		if err := errors.Join(d.Set(3, Failed, "a reason"), d.Remove(1)); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, c := range []struct {
		at   fault.Point
		want []int
	}{
		{fault.GenerationPrepared, []int{1, 2}},
		{fault.GenerationRecorded, []int{1, 2, 3}},
		{fault.GenerationMarked, []int{1, 2, 3}},
		{fault.RecordRemoved, []int{2, 3}},
	} {
		dir := t.TempDir()
		d := In(dir)
		add(t, d, 1, 2)
		again := exec.Command("/proc/self/exe", "-test.run=^TestKilledChanges$")
		again.Env = append(os.Environ(), "STET_FAULT="+string(c.at), "STET_TEST_GENERATIONS="+dir)
		out, err := again.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it ended with %v\n%s", c.at, err, out)
		}
		h := list(t, d)
		if got := numbers(h); !slices.Equal(got, c.want) || len(h.Damaged) > 0 {
			t.Errorf("%s: then there are %v, %v; want %v", c.at, got, h.Damaged, c.want)
		}
		unlock, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "generations/.*")); len(left) > 0 {
			t.Errorf("%s: left half-done: %v", c.at, left)
		}
		if c.at == fault.GenerationPrepared {
			add(t, d, 3)
		}
		_ = unlock()
	}
}
