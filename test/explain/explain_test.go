package explain_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/graph"
	"stet/internal/mirror/mirrortest"
	"stet/internal/unpack"
	"stet/test/loopback"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// world is a machine whose build is explained.
type world struct{ *loopback.World }

// nodes are those of a build, by stage and name.
type nodes map[string]graph.Node

func (w world) build(t *testing.T, args ...string) nodes {
	t.Helper()
	r := w.Stet.Must(t, append([]string{"build", "--explain", "--json"}, args...)...)
	var report struct{ Explain []graph.Node }
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, r.Stdout)
	}
	all := nodes{}
	for _, n := range report.Explain {
		all[graph.Step{Stage: n.Stage, Name: n.Name}.String()] = n
	}
	t.Logf("%.1f s", r.Took.Seconds())
	return all
}

// says holds nodes against "state" or "state: reason, reason" by their names.
func (all nodes) says(t *testing.T, want map[string]string) {
	t.Helper()
	for name, wanted := range want {
		n, ok := all[name]
		if !ok {
			t.Errorf("%s is not there", name)
			continue
		}
		reasons := []string{}
		for _, c := range n.Changes {
			reasons = append(reasons, c.String())
		}
		if n.Reason != "" {
			reasons = append(reasons, n.Reason)
		}
		got := string(n.State)
		if len(reasons) > 0 {
			got += ": " + strings.Join(reasons, ", ")
		}
		if got != wanted {
			t.Errorf("%s is %q, not %q", name, got, wanted)
		}
	}
}

func (w world) replace(t *testing.T, name, old, now string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %s", name, old)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), old, now, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// forget takes from the store what stages remember.
func (w world) forget(t *testing.T, stages ...string) {
	t.Helper()
	for _, stage := range stages {
		if err := os.RemoveAll(filepath.Join(w.Store, "memo", stage)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachChangeIsExplained(t *testing.T) {
	does := func(script string) map[string]string {
		return map[string]string{"postinst": "#!/bin/sh\nset -e\n" + script + "\n"}
	}
	w := world{loopback.New(t,
		mirrortest.Deb{Name: "addendum", Scripts: does("touch /etc/addendum")},
		mirrortest.Deb{Name: "asking", Scripts: does("command -v late-one || true")},
		mirrortest.Deb{Name: "late-one"},
	)}
	w.Serve(t)
	w.GiveDebs(t)
	w.Declare(t, `files: {/etc/motd: {text: "one\n"}}`)

	drawing := filepath.Join(t.TempDir(), "build.json")
	first := w.build(t, "--trace", drawing)
	first.says(t, map[string]string{
		"import bash:amd64": "made: unrecorded", "base": "made: unrecorded", "merge": "made: unrecorded", "configure": "made: unrecorded",
		"system": "made: unrecorded", "image usr": "made: unrecorded", "initrd": "made: unrecorded",
	})
	for name, n := range first {
		if n.State == graph.Made && n.Stage != graph.Check && (n.Seconds <= 0 || n.Bytes <= 0) {
			t.Errorf("%s took %v s and gave %d bytes", name, n.Seconds, n.Bytes)
		}
	}
	draws(t, drawing, "evaluate", "import bash:amd64", "base", "configure base-files", "merge", "configure", "number", "system", "image usr", "initrd")

	for name, n := range w.build(t) {
		if n.State != graph.Reused || n.Seconds != 0 {
			t.Errorf("nothing changed, and %s is %+v", name, n)
		}
	}

	w.replace(t, filepath.Join(w.Stet.Dir, "stet.yaml"), `one\n`, `two\n`)
	const motd = "files./etc/motd.text"
	w.build(t).says(t, map[string]string{
		"import bash:amd64": "reused", "base": "reused", "merge": "reused", "configure": "reused", "number": "reused",
		"system": "made: " + motd, "image etc": "made: " + motd, "image modules": "reused", "initrd": "reused",
	})

	// What lock configured is there when it is built.
	w.Want(t, "addendum")
	if r := w.Stet.Must(t, "lock"); strings.Contains(r.Stderr, "all scripts run") {
		t.Error(r.Stderr)
	}
	r := w.Stet.Must(t, "build", "--explain", "-v")
	for _, want := range []string{"  configure  ", "addendum 1.0 (new)", "packages.addendum"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("with one package more it does not say %q:\n%s", want, r.Stdout)
		}
	}
	if lines := strings.Count(r.Stdout, "\n"); lines > 24 {
		t.Errorf("it says it in %d lines:\n%s", lines, r.Stdout)
	}

	var bash string
	for _, p := range program.ReadLock(t, w.Stet.Dir).Packages {
		if p.Name == "bash" {
			bash = p.SHA256
		}
	}
	w.forget(t, "layer", "predecessors", "configure", "number", "system", "image", "initrd", filepath.Join(unpack.Stage, bash))
	w.build(t).says(t, map[string]string{
		"import bash:amd64": "made: forgotten", "import addendum:amd64": "reused", "base": "made: forgotten", "merge": "made: forgotten",
		"configure": "made: forgotten", "number": "same: forgotten", "system": "same: forgotten", "initrd": "same: forgotten",
	})

	// As if the build before had been an older Stet's.
	records, err := filepath.Glob(filepath.Join(w.Store, "inputs", "*"))
	if err != nil || len(records) != 1 {
		t.Fatalf("the records are %v, %v", records, err)
	}
	w.replace(t, records[0], `{"kind":"stage","name":"rootfs","value":"`, `{"kind":"stage","name":"rootfs","value":"0.`)
	w.replace(t, records[0], `"key":"`, `"key":"0`)
	w.forget(t, "configure", "system")
	older := w.build(t)
	if n := older["configure"]; n.State != graph.Made || len(n.Changes) != 1 || n.Changes[0].Kind != graph.Version || n.Changes[0].Name != graph.RootsVersion {
		t.Errorf("an older Stet's stage is told as %+v", n)
	}

	if err := os.WriteFile(records[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.forget(t, "system")
	w.build(t).says(t, map[string]string{"configure": "reused", "system": "made: unrecorded"})

	// What another's script could notice is not configured by itself, and that is said.
	w.replace(t, filepath.Join(w.Stet.Dir, "stet.yaml"), "[addendum]", "[addendum, asking]")
	w.Stet.Must(t, "lock")
	w.replace(t, filepath.Join(w.Stet.Dir, "stet.yaml"), "asking]", "asking, late-one]")
	const why = "all scripts run: the postinst of asking names late-one, which late-one has"
	if r := w.Stet.Must(t, "lock"); !slices.Contains(strings.Split(r.Stderr, "\n"), why) {
		t.Errorf("it does not say %q:\n%s", why, r.Stderr)
	}
}

// draws holds a trace against the names that have to be in it.
func draws(t *testing.T, name string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		TraceEvents []struct {
			Name, Ph string
			Ts, Dur  float64
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	took := map[string]bool{}
	for _, e := range read.TraceEvents {
		if e.Ph == "X" && e.Dur > 0 {
			took[strings.TrimSuffix(e.Name, ":amd64")] = true
		}
	}
	for _, name := range want {
		if !took[strings.TrimSuffix(name, ":amd64")] {
			t.Errorf("the trace has no %s", name)
		}
	}
}
