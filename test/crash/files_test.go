//go:build long

package crash

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// same compares two files.
func same(t *testing.T, a, b string) {
	t.Helper()
	if out, err := exec.Command("cmp", a, b).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}

// noHidden fails when a file of an interrupted write is left.
func noHidden(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
}
