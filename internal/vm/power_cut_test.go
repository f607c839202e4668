package vm

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/test/nbd"
)

// TestPowerCutLosesOnlyWhatWasNotFlushed lets a guest write to a disk that holds
// writes back, and cuts the power many times in its one run: at each moment a
// clone of the disk is what a cut would have left. ext4 must come back whole
// every time, with what the guest had synced.
func TestPowerCutLosesOnlyWhatWasNotFlushed(t *testing.T) {
	t.Parallel()
	disk, err := nbd.Open(testDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	disk.Whole(1024, 1024) // the superblock
	server, err := nbd.Serve(t.TempDir(), disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	c := testConfig(t)
	c.Disk = server.URL()
	vm := start(t, c)
	ctx := patience(t)

	lost := 0
	for round := range 4 {
		run(t, vm, "tool", "keep", fmt.Sprintf("synced-%d", round), "yes", "sync")
		run(t, vm, "tool", "keep", fmt.Sprintf("written-%d", round), strings.Repeat("not yet ", 1000))
		// What the guest's own cache still has, QEMU has not seen; a half of the
		// rounds brings it as far as the disk's cache.
		if round%2 == 1 {
			run(t, vm, "tool", "write-back")
		}
		cut := disk.Clone()
		loss := cut.Cut(uint64(round))
		lost += loss.Gone + loss.Torn
		t.Logf("round %d: %s", round, loss)
		for earlier := range round + 1 {
			if got := readDisk(t, cut, fmt.Sprintf("synced-%d", earlier)); got != "yes" {
				t.Errorf("round %d, %s: synced-%d is %q", round, loss, earlier, got)
			}
		}
	}
	if lost == 0 {
		t.Error("no cut lost anything")
	}

	// And once in earnest: the disk goes first, then the machine.
	cut := server.PullOut()
	t.Log(cut.Cut(1000))
	if err := vm.Crash(); err != nil {
		t.Fatal(err)
	}
	server.PlugIn(cut)
	if err := vm.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := vm.ReadFile(ctx, "/disk/synced-3"); err != nil || string(got) != "yes" {
		t.Errorf("after the power came back: %q, %v", got, err)
	}
}

// readDisk recovers a clone as a mount would, and gives the content of a file.
func readDisk(t *testing.T, d *nbd.Disk, name string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := d.Save(image); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("e2fsck", "-y", "-E", "journal_only", image).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: it was replayed
		t.Fatalf("replay the journal: %v\n%s", err, out)
	}
	if out, err := exec.Command("e2fsck", "-fn", image).CombinedOutput(); err != nil {
		t.Errorf("the file system is damaged: %v\n%s", err, out)
	}
	out, err = exec.Command("debugfs", "-R", "cat /"+name, image).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
