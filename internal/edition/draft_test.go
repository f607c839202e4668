package edition

import (
	"os"
	"path/filepath"
	"testing"

	"stet/internal/config"
)

// TestADraftIsAConfigurationOfItsOwn takes what the machine needs along, and
// leaves the repository alone.
func TestADraftIsAConfigurationOfItsOwn(t *testing.T) {
	dir, draft := t.TempDir(), t.TempDir()
	files := map[string]string{
		"machine.cue":    "package stet\n\nmachines: web: {\n\tpackages: curl: {}\n\tfiles: \"/etc/banner\": source: \"./etc/banner\"\n}\n",
		"other.cue":      "package stet\n\nmachines: web: timezone: \"Europe/Berlin\"\n",
		"etc/banner":     "hello\n",
		"notes":          "nothing that the machine needs\n",
		".git/HEAD":      "ref: refs/heads/main\n",
		"stet.lock":      "not read\n",
		"etc/unused.txt": "nothing either\n",
	}
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	e := Edition{c, "web"}
	edited, err := e.Want(t.Context(), []string{"htop"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Draft(draft, edited); err != nil {
		t.Fatal(err)
	}
	after, err := config.Load(t.Context(), draft)
	if err != nil {
		t.Fatal(err)
	}
	m := after.Machines["web"]
	for _, name := range []string{"curl", "htop"} {
		if _, wanted := m.Packages[name]; !wanted {
			t.Errorf("the draft does not want %s", name)
		}
	}
	if text, err := os.ReadFile(filepath.Join(draft, "etc/banner")); err != nil || string(text) != "hello\n" || m.Timezone != "Europe/Berlin" {
		t.Errorf("the draft lacks what the machine consists of: %q %v %q", text, err, m.Timezone)
	}
	for _, name := range []string{"notes", ".git", "stet.lock", "etc/unused.txt"} {
		if _, err := os.Stat(filepath.Join(draft, name)); !os.IsNotExist(err) {
			t.Errorf("the draft has %s: %v", name, err)
		}
	}
	for name, text := range files {
		if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(have) != text {
			t.Errorf("%s of the repository is %q, %v", name, have, err)
		}
	}
}
