package modules_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"stet/internal/config"
	"stet/internal/machine"
)

var update = flag.Bool("update", false, "write what modules make into testdata")

// bare is a machine of nothing: what it has is no module's work.
const bare = "name: a\nnetwork: {dhcp: false}\n"

// TestWhatModulesWrite holds what a module makes of a configuration, byte by
// byte, to testdata: first the configuration, then all that a bare machine does
// not have.
func TestWhatModulesWrite(t *testing.T) {
	nothing := written(evaluated(t, []txtar.File{{Name: "stet.yaml", Data: []byte(bare)}}))
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			isInput := func(f txtar.File) bool { return f.Name == "stet.yaml" || strings.HasSuffix(f.Name, ".cue") }
			want := *archive
			want.Files = nil
			for _, f := range archive.Files {
				if isInput(f) {
					want.Files = append(want.Files, f)
				}
			}
			made := written(evaluated(t, want.Files))
			for _, thing := range slices.Sorted(maps.Keys(made)) {
				if made[thing] != nothing[thing] {
					want.Files = append(want.Files, txtar.File{Name: thing, Data: []byte(made[thing])})
				}
			}
			text := txtar.Format(&want)
			if *update {
				if err := os.WriteFile(name, text, 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(text)); diff != "" {
				t.Errorf("-want +got; `make pages` writes it anew:\n%s", diff)
			}
		})
	}
}

// evaluated is the only machine of a configuration.
func evaluated(t *testing.T, files []txtar.File) *machine.Machine {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return c.Machines["a"]
}

// written is all text that a machine has, by what it is.
func written(m *machine.Machine) map[string]string {
	all := map[string]string{}
	add := func(text string, format string, args ...any) {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		all[fmt.Sprintf(format, args...)] = text
	}
	for name, p := range m.Packages {
		add(p.Because, "package %s", name)
	}
	for name, f := range m.Files {
		if f.Kind == machine.FileText {
			what := name
			if f.Mode != 0o644 || f.User != "root" || f.Group != "root" {
				what = fmt.Sprintf("%s %04o %s:%s", name, f.Mode, f.User, f.Group)
			}
			add(f.Text, "%s", what)
		} else {
			add(f.Link, "%s %s", f.Kind, name)
		}
	}
	for name, u := range m.Units {
		if u.Enable != nil {
			add(fmt.Sprint(*u.Enable), "enable %s", name)
		}
		if u.Text != "" {
			add(u.Text, "unit %s", name)
		}
		for dropIn, text := range u.DropIns {
			add(text, "unit %s %s", name, dropIn)
		}
	}
	for name, value := range m.Sysctl {
		add(value, "sysctl %s", name)
	}
	for name, c := range m.Checks {
		add(c.Command+"\n"+strings.Join(c.Files, "\n"), "check %s", name)
	}
	for name, c := range m.Health.Checks {
		add(fmt.Sprintf("unit %q, command %q, port %d", c.Unit, c.Command, c.Port), "health %s", name)
	}
	return all
}
