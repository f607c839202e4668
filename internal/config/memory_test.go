package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memory is a Memory of one process.
type memory struct{ sync.Map }

func (m *memory) Get(key string) ([]byte, bool) {
	value, ok := m.Load(key)
	if !ok {
		return nil, false
	}
	return value.([]byte), true
}

func (m *memory) Put(key string, value []byte) { m.Store(key, value) }

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestAChangeInOneMachineEvaluatesOneMachine: and none, when nothing counts.
func TestAChangeInOneMachineEvaluatesOneMachine(t *testing.T) {
	files := append(fleet(4), "motd", "hello\n")
	dir := repository(t, files...)
	text := files[slices.Index(files, "machines.cue")+1] + "machines: \"m4\": files: \"/etc/motd\": source: \"./motd\"\n"
	m := &memory{}
	before := map[string]string{}
	for _, step := range []struct {
		what, change, to string
		evaluated        []string
	}{
		{"the first time", "", "", []string{"m0", "m1", "m2", "m3", "m4"}},
		{"nothing", "", "", nil},
		{"a comment", "_web & ", "/* no comment */", nil},
		{"a comment above all", "package stet\n", "// Our machines.\npackage stet\n\n\n", nil},
		{"one machine", "listen: 8002", "listen: 9002", []string{"m2"}},
		{"a new machine", "machines: \"m4\"", "machines: \"m5\": {}\nmachines: \"m4\"", []string{"m5"}},
		{"all of them", ".example.org", ".example.net", []string{"m0", "m1", "m2", "m3", "m4", "m5"}},
	} {
		if step.what == "a comment" {
			step.to = "_web & // a comment\n"
		}
		text = strings.Replace(text, step.change, step.to, 1)
		write(t, dir, "machines.cue", text)
		c, err := Loader{Memory: m}.Load(context.Background(), dir)
		if err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		plain, err := Load(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		var evaluated []string
		for _, name := range c.Names() {
			if !c.Recalled(name) {
				evaluated = append(evaluated, name)
			}
			if c.Machines[name].Digest() != plain.Machines[name].Digest() {
				t.Errorf("%s: %s is another machine: %s", step.what, name, cmp.Diff(plain.Machines[name], c.Machines[name]))
			}
			if diff := cmp.Diff(spots(plain, name), spots(c, name)); diff != "" {
				t.Errorf("%s: %s: %s", step.what, name, diff)
			}
			if before[name] != "" && before[name] != c.Machines[name].Digest() && !slices.Contains(step.evaluated, name) {
				t.Errorf("%s changed the digest of %s", step.what, name)
			}
			before[name] = c.Machines[name].Digest()
		}
		if diff := cmp.Diff(step.evaluated, evaluated); diff != "" {
			t.Errorf("%s: %s", step.what, diff)
		}
	}

	// What decides beside the texts counts too.
	if err := os.Remove(filepath.Join(dir, "motd")); err != nil {
		t.Fatal(err)
	}
	if _, err := (Loader{Memory: m}).Load(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "the file ./motd does not exist") {
		t.Errorf("got %v", err)
	}
}

// spots are the places of a machine as file:line:column.
func spots(c *Configuration, name string) map[string]string {
	all := map[string]string{}
	for path, place := range c.Places(name) {
		all[path] = place.String()
	}
	return all
}

// TestAMemoryThatLies: what cannot be read is evaluated again.
func TestAMemoryThatLies(t *testing.T) {
	dir := repository(t, FileName, "name: a\n")
	for _, value := range []string{"", "null", "{}", "{\"machine\":3}", "\x00"} {
		m := &memory{}
		if _, err := (Loader{Memory: m}).Load(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		m.Range(func(key, _ any) bool { m.Store(key, []byte(value)); return true })
		c, err := Loader{Memory: m}.Load(context.Background(), dir)
		if err != nil || c.Machines["a"] == nil || c.Recalled("a") || len(c.Places("a")) == 0 {
			t.Errorf("%q: %v, %v", value, c, err)
		}
	}
}
