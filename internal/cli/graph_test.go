package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"stet/internal/graph"
	"stet/internal/store"
	"stet/internal/term"
)

func TestTheGraphIsOneScreen(t *testing.T) {
	added := func(name, version string) []graph.Change {
		return []graph.Change{{Kind: graph.Package, Name: name + ":amd64", Change: graph.Added, New: version}}
	}
	motd := []graph.Change{{Kind: graph.Option, Name: "files./etc/motd.text", Change: graph.Changed}}
	var thousands []graph.Node
	for i := range 3000 {
		thousands = append(thousands, graph.Node{Stage: graph.Import, Name: fmt.Sprintf("p%d:amd64", i), State: graph.Reused, Bytes: 1000})
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		thousands = append(thousands, graph.Node{Stage: graph.Import, Name: name + ":amd64", State: graph.Made, Changes: added(name, "1"), Seconds: 0.5, Bytes: 2e6})
	}
	for _, c := range []struct {
		name    string
		verbose bool
		nodes   []graph.Node
		want    string
	}{
		{"nothing", false, nil, ""},
		{"thousands of packages", false, thousands, "" +
			"  import  6 made       3.00 s  12.0 MB  a 1 (new), b 1 (new), c 1 (new), d 1 (new), … and 2 more\n" +
			"  import  3000 reused          3.00 MB\n"},
		{"all reasons", true, thousands[3000:], "" +
			"  import  6 made  3.00 s  12.0 MB  a 1 (new), b 1 (new), c 1 (new), d 1 (new), e 1 (new), f 1 (new)\n"},
		{"a line of a file", false, []graph.Node{
			{Stage: graph.Configure, State: graph.Reused},
			{Stage: graph.System, State: graph.Made, Changes: motd, Seconds: 0.123, Bytes: 5e8},
			{Stage: graph.Image, Name: "etc", State: graph.Made, Changes: motd, Seconds: 0.01, Bytes: 1e5},
			{Stage: graph.Image, Name: "usr", State: graph.Same, Changes: motd, Seconds: 0.1, Bytes: 1e6},
			{Stage: graph.Image, Name: "var", State: graph.Same, Changes: motd, Seconds: 0.1, Bytes: 1e6},
		}, "" +
			"  configure       reused\n" +
			"  system          made      0.12 s  500 MB   files./etc/motd.text\n" +
			"  image etc       made      0.01 s  100 kB   files./etc/motd.text\n" +
			"  image usr, var  the same  0.20 s  2.00 MB  files./etc/motd.text\n"},
		{"no change", false, []graph.Node{
			{Stage: graph.Import, Name: "curl:amd64", State: graph.Made, Reason: graph.Forgotten},
			{Stage: graph.Configure, State: graph.Made, Reason: graph.Forgotten},
			{Stage: graph.System, State: graph.Made, Reason: graph.Unrecorded},
			{Stage: graph.Disk, Name: "raw", State: graph.Made, Reason: graph.Absent},
		}, "" +
			"  import     1 made  0.00 s    curl (no longer in the store)\n" +
			"  configure  made    0.00 s    unchanged, but no longer in the store\n" +
			"  system     made    0.00 s    no record of the build before\n" +
			"  disk raw   made    0.00 s    no untouched one of this commit was there\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			(&app{Environment: Environment{Stdout: &out}, verbose: c.verbose}).printGraph(c.nodes)
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The document of --explain is promised: docs/formats/graph.md.
func TestTheGraphInJSON(t *testing.T) {
	text, err := json.Marshal(buildReport{Explain: []graph.Node{
		{Stage: graph.Import, Name: "curl:amd64", Needs: []graph.Stage{}, State: graph.Made, Seconds: 0.5, Bytes: 7,
			Changes: []graph.Change{{Kind: graph.Package, Name: "curl:amd64", Change: graph.Changed, Old: "1", New: "2"}}},
		{Stage: graph.Merge, Needs: []graph.Stage{graph.Import, graph.Base}, State: graph.Made, Reason: graph.Forgotten},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `"explain":[` +
		`{"stage":"import","name":"curl:amd64","needs":[],"state":"made","changes":[{"kind":"package","name":"curl:amd64","change":"changed","old":"1","new":"2"}],"seconds":0.5,"bytes":7},` +
		`{"stage":"merge","needs":["import","base"],"state":"made","reason":"forgotten","seconds":0}]`
	if !strings.Contains(string(text), want) {
		t.Errorf("got %s\nwant in it %s", text, want)
	}
}

// A record is written when the inputs are others, and one that is damaged, or
// that cannot be written, is as good as none.
func TestTheInputsOfTheLastBuildAreKept(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	written := 0
	build := func(key string) *graph.Record {
		return graph.ParseRecord(recordInputs(s, "hello", key, func() (*graph.Record, error) {
			written++
			return &graph.Record{Key: key, Inputs: []graph.Input{{Kind: graph.Option, Name: "hostname", Value: key}}}, nil
		}))
	}
	if before := build("one"); before != nil {
		t.Errorf("before the first build there was %+v", before)
	}
	for i, want := range []string{"one", "one", "two"} {
		if before := build([]string{"one", "two", "one"}[i]); before == nil || before.Key != want {
			t.Errorf("the build before is %+v, want %s", before, want)
		}
	}
	if written != 3 {
		t.Errorf("it was written %d times", written)
	}
	name := filepath.Join(s.Dir(), "inputs", "hello")
	if err := os.WriteFile(name, []byte(`{"format":1,"key":"one","inputs":[`), 0o600); err != nil {
		t.Fatal(err)
	}
	if before := build("one"); before != nil {
		t.Errorf("a damaged record is read as %+v", before)
	}
	if before := build("one"); before == nil {
		t.Error("a damaged record was not replaced")
	}
	if err := errors.Join(os.RemoveAll(filepath.Dir(name)), os.WriteFile(filepath.Dir(name), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if before := build("three"); before != nil {
		t.Errorf("where nothing can be written, there was %+v", before)
	}
	failing := func() (*graph.Record, error) { return nil, errors.New("broken") }
	if before := recordInputs(s, "hello", "four", failing); before != nil {
		t.Errorf("got %s", before)
	}
}

// ticking is a clock that a second passes on whenever somebody looks.
func ticking() func() time.Time {
	at := time.Unix(0, 0)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func TestATraceIsWrittenWhateverBecomesOfTheCommand(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name, flag string
		before     func(dir string) error
		result     error
		want       string // in the error
		spans      []string
	}{
		{"done", "out.json", nil, nil, "", []string{"evaluate", "system failed"}},
		{"failed", "out.json", nil, broken, "broken", []string{"evaluate", "system failed"}},
		{"in place of another", "out.json", func(dir string) error { return os.WriteFile(filepath.Join(dir, "out.json"), []byte("old"), 0o600) }, nil, "", []string{"evaluate", "system failed"}},
		{"no directory", "no/out.json", nil, nil, "no such directory", nil},
		{"no file", ".", nil, nil, "is not a file", nil},
		{"not asked for", "", nil, nil, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != nil {
				if err := c.before(dir); err != nil {
					t.Fatal(err)
				}
			}
			a := &app{Environment: Environment{Dir: dir, Now: ticking()}, term: term.New(&bytes.Buffer{}, func(string) string { return "" })}
			cmd := a.traced(&cobra.Command{Use: "work", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
				observe := a.observed.observer()
				observe.Begin(graph.Step{Stage: graph.Evaluate})(graph.Outcome{})
				observe.Begin(graph.Step{Stage: graph.System})
				return c.result
			}})
			cmd.SetArgs(nil)
			if c.flag != "" {
				cmd.SetArgs([]string{"--trace", c.flag})
			} else {
				cmd.SetArgs([]string{})
			}
			err := cmd.ExecuteContext(context.Background())
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			text, err := os.ReadFile(filepath.Join(dir, "out.json"))
			if (err == nil) != (c.spans != nil) {
				t.Fatalf("there is a trace: %v", err == nil)
			}
			if c.spans == nil {
				return
			}
			var read struct {
				TraceEvents []struct {
					Name, Ph string
					Args     struct{ State string }
				}
				OtherData map[string]string
			}
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range read.TraceEvents {
				if e.Ph == "X" {
					got = append(got, strings.TrimSpace(e.Name+" "+e.Args.State))
				}
			}
			if diff := cmp.Diff(c.spans, got); diff != "" || read.OtherData["command"] != "work" {
				t.Error(diff, read.OtherData)
			}
		})
	}
}
