package example_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stet/test/example"
	"stet/test/program"
)

// TestExamplesBuildToTheirGoldens is the promise itself: the same configuration
// and lock give the same trees, on any host and in any year.
func TestExamplesBuildToTheirGoldens(t *testing.T) {
	stet, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range example.Names {
		t.Run(name, func(t *testing.T) {
			golden, err := example.ReadGolden(name)
			if err != nil {
				t.Fatal(err)
			}
			dir, relocked, err := example.Prepare(t.Context(), stet, name)
			if err != nil {
				t.Fatal(err)
			}
			built, err := example.Built(t.Context(), stet, dir)
			if err != nil {
				t.Fatal(err)
			}
			if relocked {
				t.Log("locked anew: the goldens are of other packages; building twice must do")
				sameInAnotherStore(t, stet, dir, built)
				return
			}
			if !maps.Equal(built.Trees, golden.Trees) {
				t.Errorf("examples/%s builds to\n  %v\nbut its goldens are\n  %v\nIf that is meant, `make relock` renews them", name, built.Trees, golden.Trees)
			}
		})
	}
}

// sameInAnotherStore builds again in an empty store that shares nothing but
// the fetched packages.
func sameInAnotherStore(t *testing.T, stet, dir string, first *example.Build) {
	t.Helper()
	// Beside the first, where the packages can be linked.
	store, err := os.MkdirTemp(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(first.Kernel)))), "another-store-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(store) })
	program.New(t, dir).GiveDebs(t, store)
	second, err := example.Built(t.Context(), stet, dir, "STET_STORE="+store)
	if err != nil {
		t.Fatal(err)
	}
	if second.Reused || second.Digest != first.Digest || !maps.Equal(second.Trees, first.Trees) {
		t.Errorf("built twice, it is\n  %s %v\nand then\n  %s %v", first.Digest, first.Trees, second.Digest, second.Trees)
	}
}

// TestLocksAreOfThisStet holds the committed locks to the code: one that `stet
// lock` would write anew proves nothing when it is built.
func TestLocksAreOfThisStet(t *testing.T) {
	for _, name := range slices.Concat(example.Names, example.Large, example.Fleets) {
		t.Run(name, func(t *testing.T) {
			from, err := example.Dir(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), name)
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			// No mirror is needed to see that nothing is to be done.
			locked := program.New(t, dir, "STET_STORE="+t.TempDir()).Must(t, "lock", "--json")
			var report struct{ Changed bool }
			if err := json.Unmarshal([]byte(locked.Stdout), &report); err != nil {
				t.Fatal(err)
			}
			if report.Changed {
				t.Errorf("`stet lock` changes the lock of examples/%s: `make relock` renews it and its goldens", name)
			}
		})
	}
}
