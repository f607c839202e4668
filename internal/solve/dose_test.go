package solve

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dose asks dose-debcheck whether exactly the packages of a solution can be
// installed together. It sees their stanzas as the archive has them and one
// package more, which needs them all.
func dose(t testing.TB, stanzas map[Key]string, s *Solution) error {
	t.Helper()
	path, err := exec.LookPath("dose-debcheck")
	if err != nil {
		t.Fatal("the oracle is dose-debcheck: install the package dose-distcheck")
	}
	var universe, all strings.Builder
	for i := range s.Packages {
		p := &s.Packages[i].Package
		stanza, ok := stanzas[KeyOf(p)]
		if !ok {
			return fmt.Errorf("%s is not in the index", label(p))
		}
		universe.WriteString(stanza + "\n\n")
		if i > 0 {
			all.WriteString(", ")
		}
		fmt.Fprintf(&all, "%s (= %s)", p.Name, p.Version)
	}
	fmt.Fprintf(&universe, "Package: the-whole-set\nVersion: 1\nArchitecture: amd64\nDepends: %s\n", all.String())
	file := filepath.Join(t.TempDir(), "set")
	if err := os.WriteFile(file, []byte(universe.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "--deb-native-arch=amd64", "--explain", "--failures", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dose-debcheck: %w\n%s", err, out)
	}
	return nil
}
