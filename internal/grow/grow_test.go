package grow

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/gpt"
)

const mib = 1 << 20

// disk makes a file with a table for 64 MiB, and lets it grow.
func disk(t *testing.T, size int64) (string, *gpt.Table) {
	t.Helper()
	id, err := gpt.ParseGUID("8b0f9e20-0102-8304-8506-0708090a0b0c")
	if err != nil {
		t.Fatal(err)
	}
	table := &gpt.Table{Disk: id, DiskSize: 64 * mib, Partitions: []gpt.Partition{
		{Number: 1, Type: gpt.ESP, ID: id, Start: mib, Size: 10 * mib, Name: "esp"},
		{Number: 2, Type: gpt.Store, ID: gpt.Store, Start: 11 * mib, Size: 52 * mib, Name: "stet"},
	}}
	file, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := table.Write(file, nil); err != nil {
		t.Fatal(err)
	}
	return file.Name(), table
}

func TestPartitionFillsTheDisk(t *testing.T) {
	name, table := disk(t, 200*mib)
	done, err := Partition(name, 200*mib, table, 2)
	if err != nil || !done {
		t.Fatalf("%v, %v", done, err)
	}
	out, err := exec.Command("sgdisk", "-v", "-i", "2", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") || !strings.Contains(string(out), "(188.0 MiB)") {
		t.Errorf("sgdisk: %v\n%s", err, out)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	again, err := gpt.Read(file, 200*mib)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := Partition(name, 200*mib, again, 2); err != nil || done {
		t.Errorf("again: %v, %v", done, err)
	}
}

func TestWhatCannotGrowIsLeftAlone(t *testing.T) {
	for what, test := range map[string]struct {
		size   int64
		number int
	}{
		"the disk is as large as the table":     {64 * mib, 2},
		"a few MiB are not worth it":            {70 * mib, 2},
		"another partition follows":             {200 * mib, 1},
		"the disk is smaller than its table is": {40 * mib, 2},
	} {
		name, table := disk(t, max(64*mib, test.size))
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if done, err := Partition(name, test.size, table, test.number); err != nil || done {
			t.Errorf("%s: %v, %v", what, done, err)
		}
		if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
			t.Errorf("%s: the disk was written to", what)
		}
	}
	name, table := disk(t, 200*mib)
	if _, err := Partition(name, 200*mib, table, 3); err == nil {
		t.Error("a partition that is not there grew")
	}
}

func TestGeometryIsThatOfDumpe2fs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ext4")
	for _, arguments := range [][]string{{"-b", "4096", name, "300M"}, {"-b", "1024", "-O", "^64bit", name, "300M"}} {
		os.Remove(name)
		if out, err := exec.Command("mke2fs", append([]string{"-q", "-t", "ext4"}, arguments...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks, size, err := geometry(file)
		if err != nil || int64(blocks)*size != 300*mib {
			t.Errorf("%v: %d blocks of %d, %v", arguments, blocks, size, err)
		}
		if done, err := FileSystem(name, "/nonexistent"); err != nil || done {
			t.Errorf("a full device: %v, %v", done, err)
		}
		file.Close()
	}
	if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FileSystem(name, "/nonexistent"); err == nil || !strings.Contains(err.Error(), "no ext4") {
		t.Errorf("zeros: %v", err)
	}
}
