package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/unpack"
)

func TestAContestIsCompared(t *testing.T) {
	of := func(wall, cpu, memory float64) (s series) {
		for range 3 {
			s.add(spent{wall, cpu, memory})
		}
		return s
	}
	peers := []peer{{name: "one", how: "one, quickly", fraction: 0.5, imported: 0.25}, {name: "two", how: "two"}}
	results := compared("server: ", of(5, 8, 130), of(3, 4, 90), 200, peers, []series{of(10, 16, 80), of(50, 40, 90)})
	type said struct {
		Name  string
		Value float64
		Ratio bool
		Limit float64
	}
	var found []said
	for _, r := range results {
		found = append(found, said{r.Name, r.Median, r.Ratio, r.Limit})
	}
	want := []said{
		{"server: stet build, store empty", 5, false, 0},
		{"server: stet build, import done", 3, false, 0},
		{"server: one, quickly", 10, false, 0},
		{"server: stet / one", 0.5, true, 0.5},
		{"server: import done, stet / one", 0.3, true, 0.25},
		{"server: two", 50, false, 0},
		{"server: stet / two", 0.1, true, 0},
		{"server: stet build, CPU time", 8, false, 0},
		{"server: one, CPU time", 16, false, 0},
		{"server: CPU time, stet / one", 0.5, true, 0},
		{"server: two, CPU time", 40, false, 0},
		{"server: peak memory of stet build", 130, false, 200},
		{"server: peak memory of one", 80, false, 0},
		{"server: peak memory of two", 90, false, 0},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsImportedIsNotForgotten(t *testing.T) {
	store := t.TempDir()
	for _, name := range []string{unpack.Stage + "/a", "configure/b", "layer/c"} {
		if err := os.MkdirAll(filepath.Join(store, "memo", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(store); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(store, "memo", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(store, "memo", unpack.Stage, "a")}, left); diff != "" {
		t.Error(diff)
	}
}

func TestAScriptsTimeIsReadFromTheTrace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "trace.json")
	text := `{"traceEvents": [
		{"name": "preinst plocate", "cat": "script", "ph": "X", "dur": 250000},
		{"name": "import plocate", "cat": "import", "ph": "X", "dur": 9000000},
		{"name": "configure tree", "cat": "script", "ph": "X", "dur": 9000000},
		{"name": "configure plocate", "cat": "script", "ph": "X", "dur": 500000}]}`
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if took, err := scriptTime(name, "plocate"); err != nil || took != 0.75 {
		t.Errorf("%v, %v", took, err)
	}
	if _, err := scriptTime(name, "earlyoom"); err == nil {
		t.Error("a script that did not run took no time")
	}
}
