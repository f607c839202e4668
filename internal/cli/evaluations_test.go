package cli

import (
	"os"
	"path/filepath"
	"testing"

	"stet/internal/buildid"
)

// TestAnotherProgramRecallsNothing holds what the digest of an evaluation leaves out,
// the code and what is built into it, against the build ID that stands for both.
func TestAnotherProgramRecallsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format.json"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{Environment: Environment{Getenv: func(name string) string { return map[string]string{"STET_STORE": dir}[name] }}}
	ours := a.evaluations()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if id, err := buildid.Read(self); err != nil || ours == nil || ours.stamp != id {
		t.Fatalf("%+v, of a program that is %q, %v", ours, id, err)
	}
	ours.Put("key", []byte("value"))
	if value, ok := ours.Get("key"); !ok || string(value) != "value" {
		t.Errorf("it recalls %q, %v", value, ok)
	}
	if value, ok := (&evaluations{ours.dir, ours.stamp + "-edited"}).Get("key"); ok {
		t.Errorf("another program recalls %q", value)
	}
}
