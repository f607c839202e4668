package resolve_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/test/loopback"
)

// tried has a machine resolve, fetch and build what it would have with greeting; it
// stops short of trying it, because what stands for the machine runs no system. A
// repository and a lock, stet.yaml and stet.lock, are as before.
func tried(t *testing.T, w *loopback.World, before, lock string) {
	t.Helper()
	machine := w.On(t, strings.Repeat("0", 64))
	for _, c := range []struct {
		name, says string
		code       int
	}{
		{"greetign", "greeting", 2},
		{"greeting", strings.Repeat("0", 64), 1},
	} {
		r := machine.Stet.Run(t, "try", "-p", c.name)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("stet try -p %s: exit code %d\n%s", c.name, r.Code, r.Stderr)
		}
		if text, err := os.ReadFile(filepath.Join(w.Stet.Dir, "stet.yaml")); err != nil || string(text) != before || w.Lock(t) != lock {
			t.Errorf("stet try -p %s: the repository is another: %v\n%s", c.name, err, text)
		}
		for _, name := range []string{"tmp", "roots"} {
			if left, err := os.ReadDir(filepath.Join(w.Store, name)); err != nil || len(left) > 0 {
				t.Errorf("stet try -p %s: in the store's %s there is %v, %v", c.name, name, left, err)
			}
		}
	}
}
