package reproducible_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"stet/test/example"
)

// Two clones build the same stet, and the same stet-init in it: a system's
// digest covers the initrd.
func TestSameStetEverywhere(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	var clones []string
	for _, name := range []string{"one", "two/with a longer path"} {
		clone := filepath.Join(t.TempDir(), name)
		for _, part := range []string{"cmd", "internal", "modules", "schema"} {
			if err := os.CopyFS(filepath.Join(clone, part), os.DirFS(filepath.Join(root, part))); err != nil {
				t.Fatal(err)
			}
		}
		for _, part := range []string{"go.mod", "go.sum", "Makefile"} {
			text, err := os.ReadFile(filepath.Join(root, part))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(clone, part), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		make := exec.Command("make", "build")
		make.Dir = clone
		make.Env = append(os.Environ(), "TZ=Asia/Kathmandu", "STET_STORE="+clone, "MAKEFLAGS=", "MAKELEVEL=")
		if output, err := make.CombinedOutput(); err != nil {
			t.Fatalf("make build: %v\n%s", err, output)
		}
		clones = append(clones, clone)
	}
	for _, program := range []string{"bin/stet", "internal/initrd/bin/stet-init", "internal/vm/bin/stet-agent"} {
		sameFile(t, program, filepath.Join(clones[0], program), filepath.Join(clones[1], program))
	}
}
