//go:build long

package crash

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/gpt"
	"stet/internal/integrity"
	"stet/test/nbd"
	"stet/test/program"
)

// plugIn gives the disk of a machine from its image, with no superblock torn: no
// kernel mounts ext4 with one.
func plugIn(t *testing.T, image string) *nbd.Disk {
	t.Helper()
	disk, err := nbd.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	disk.Whole(partition(t, disk, gpt.Store).Start+1024, 1024)
	return disk
}

func partition(t *testing.T, disk *nbd.Disk, of gpt.GUID) gpt.Partition {
	t.Helper()
	table, err := gpt.Read(disk, disk.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		if p.Type == of {
			return p
		}
	}
	t.Fatalf("the disk has no such partition: %+v", table.Partitions)
	return gpt.Partition{}
}

// examined is what a disk has after a cut: its journal is replayed, as the next
// mount does, and both file systems are laid out as directories. The host's kernel
// may know no fs-verity, so it mounts nothing.
type examined struct{ esp, store string }

// examine looks at a disk as the next boot will, and fails unless both file systems
// are what their own checkers call clean.
func examine(t *testing.T, stet program.Program, disk *nbd.Disk, loss nbd.Loss) examined {
	t.Helper()
	dir := t.TempDir()
	e := examined{filepath.Join(dir, "esp"), filepath.Join(dir, "store")}
	at, fat := filepath.Join(dir, "store.ext4"), filepath.Join(dir, "esp.fat")
	store, esp := partition(t, disk, gpt.Store), partition(t, disk, gpt.ESP)
	if err := errors.Join(disk.SavePart(at, store.Start, store.Size), disk.SavePart(fat, esp.Start, esp.Size), os.Mkdir(e.esp, 0o755), os.Mkdir(e.store, 0o700)); err != nil {
		t.Fatal(err)
	}
	// As the kernel does when it mounts: the journal, and files that had lost their
	// last name. It mends nothing that would need a decision.
	if out, code := try("e2fsck", "-f", "-p", at); code > 1 {
		t.Errorf("%s: the journal cannot be replayed\n%s", loss, out)
	}
	if out, code := try("e2fsck", "-fn", at); code != 0 {
		t.Errorf("%s: the store's file system is damaged\n%s", loss, out)
	}
	if out, code := try("debugfs", "-R", "rdump / "+e.store, at); code != 0 || strings.Contains(out, "rdump:") {
		t.Errorf("%s: the store cannot be read\n%s", loss, out)
	}
	// On FAT there is no journal; what does not hold together is what a loader
	// meets, too.
	if out, code := try("mcopy", "-s", "-Q", "-n", "-i", fat, "::/*", e.esp); code != 0 {
		t.Errorf("%s: the ESP cannot be read\n%s", loss, out)
	}
	if err := errors.Join(os.Remove(at), os.Remove(fat)); err != nil {
		t.Fatal(err)
	}
	verify(t, stet.With("STET_STORE="+e.store), loss)
	return e
}

// verify fails unless all that any system needs is whole. What was on its way to
// one that is not there yet may be torn: it is replaced when it comes again.
func verify(t *testing.T, stet program.Program, loss nbd.Loss) {
	t.Helper()
	r := stet.Run(t, "verify", "--json")
	var report integrity.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%s: stet verify ends with %d: %v\n%s", loss, r.Code, err, first(r.Stderr))
	}
	for _, f := range report.Findings {
		if len(f.Hurts) > 0 {
			t.Errorf("%s: %s is %s: %s", loss, f.Name, f.Problem, f.Detail)
		}
	}
}

// first is the beginning of a long text.
func first(text string) string { return text[:min(len(text), 2000)] }

func try(program string, args ...string) (output string, code int) {
	command := exec.Command(program, args...)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		return err.Error(), 127
	}
	return string(out), command.ProcessState.ExitCode()
}
