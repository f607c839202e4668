package program

import (
	"os"
	"path/filepath"
	"testing"

	"stet/test/example"
)

// Example gives the program in a copy of an example that may be changed. It is
// locked, and its packages are in the store.
func Example(t testing.TB, name string) Program {
	t.Helper()
	p := New(t, filepath.Join(t.TempDir(), name))
	from, _, err := example.Prepare(t.Context(), p.Path, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.Dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return p
}
