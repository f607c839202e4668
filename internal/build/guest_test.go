package build

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDisksOfMachinesThatRunStay makes more disks than are kept, of which a VM holds
// the oldest.
func TestDisksOfMachinesThatRunStay(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a", "b", "c", "d"} {
		at := filepath.Join(dir, name+".ext4")
		made := time.Unix(int64(1000+i), 0)
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, made, made); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.Open(filepath.Join(dir, "a.ext4"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	if err := removeOldDisks(dir); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"a.ext4", "c.ext4", "d.ext4"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
