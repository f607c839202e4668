package wrong_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The store's disk is full again and again while a machine is locked; each
// time it grows a little. Wherever that stops stet, it goes on from there.
func TestFullDisk(t *testing.T) {
	w, want := lockedWorld(t)
	before := w.Lock(t)

	full := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	resize := func(flags uintptr, size int) {
		t.Helper()
		if err := unix.Mount("tmpfs", full, "tmpfs", flags, fmt.Sprintf("size=%dm", size)); err != nil {
			t.Fatal(err)
		}
	}
	size := 30
	resize(0, size)
	t.Cleanup(func() {
		if err := unix.Unmount(full, 0); err != nil {
			t.Error(err)
		}
	})
	other := w.In(t, full)
	stopped := 0
	for _, verb := range []string{"fetch", "build"} {
		for {
			r := other.Stet.Run(t, verb)
			if r.Code == 0 {
				t.Logf("%s works with %d MiB", verb, size)
				break
			}
			stopped++
			refused(t, r, 1, "no space left on device")
			if t.Failed() {
				t.FailNow()
			}
			if size += 60; size > 2000 {
				t.Fatal("it never works")
			}
			resize(unix.MS_REMOUNT, size)
		}
	}
	if stopped < 3 {
		t.Errorf("the disk was full %d times only", stopped)
	}
	if have := other.Stet.Build(t).Digest; have != want {
		t.Errorf("the system is %s, not %s", have, want)
	}
	if w.Lock(t) != before {
		t.Error("stet.lock was changed")
	}
}
