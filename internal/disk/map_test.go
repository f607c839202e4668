package disk

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system/systemtest"
	"stet/internal/verity"
)

// mappable is what a disk of a small system has.
func mappable(t *testing.T) Content {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	digest := systemtest.Put(t, s, systemtest.System{
		Usr: map[string]string{"/bin/large": strings.Repeat("large", 200_000), "/bin/small": "small"}, Etc: map[string]string{"/motd": "one"},
	})
	stet := filepath.Join(t.TempDir(), "stet")
	if err := os.WriteFile(stet, []byte("the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Content{
		Store: s, Manifest: systemtest.Read(t, s, digest), Stet: stet, Record: generation.Record{Number: 1, System: digest},
		Repository: func(_ context.Context, dir string) error {
			return os.Symlink("stet.yaml", filepath.Join(dir, "link"))
		},
	}
}

// used is more of a disk's beginning than the tests' have something in.
const used = 192 << 20

func spill(t *testing.T, m *Mapped) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, io.NewSectionReader(m, 0, used)); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(m.Size()); err != nil {
		t.Fatal(err)
	}
	return name
}

func mapped(t *testing.T, c Content, dir string) *Mapped {
	t.Helper()
	m, err := Map(t.Context(), c, 1_790_000_000, dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAMappedDiskHasAll has ext4's own programs read it.
func TestAMappedDiskHasAll(t *testing.T) {
	c := mappable(t)
	m := mapped(t, c, "")
	disk := spill(t, m)
	if out, err := exec.Command("e2fsck", "-fn", disk).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	debugfs := func(command string) string {
		out, err := exec.Command("debugfs", "-R", command, disk).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	large := strings.Repeat("large", 200_000)
	object := verity.Sum([]byte(large)).String()
	object = "/objects/" + object[:2] + "/" + object[2:]
	for command, want := range map[string]string{
		"cat " + object:                   large,
		"cat /bin/stet":                   "the program",
		"cat /systems/" + c.Record.System: `"machine"`,
		"cat /generations/1/record.json":  c.Record.System,
		"stat /repository/link":           `Fast link dest: "stet.yaml"`,
		"stat /state/root":                "Mode:  0700",
		"stat " + object:                  "Flags: 0x180000",
		"ls /images":                      c.Manifest.Images["usr"].String(),
		"stat /images/" + c.Manifest.Images["etc"].String(): "Flags: 0x180000",
	} {
		if have := debugfs(command); !strings.Contains(have, want) {
			t.Errorf("%s: %.200s", command, have)
		}
	}
	// Behind the content lies what a kernel compares it with.
	seal := verity.NewSeal()
	_, _ = seal.Write([]byte(large))
	_, metadata := seal.Metadata()
	beginning := make([]byte, used)
	if _, err := m.ReadAt(beginning, 0); err != nil || !bytes.Contains(beginning, metadata) {
		t.Errorf("the disk has not the metadata of the large file: %v", err)
	}
	own := m.own
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(own); !os.IsNotExist(err) {
		t.Errorf("%s stays: %v", own, err)
	}
}

// TestWhatIsKeptGivesTheSameDisk maps a system twice, the second time with another
// repository, which is not asked.
func TestWhatIsKeptGivesTheSameDisk(t *testing.T) {
	c := mappable(t)
	dir := filepath.Join(t.TempDir(), "kept")
	first := mapped(t, c, dir)
	defer first.Close()
	asked := 0
	c.Repository = func(context.Context, string) error { asked++; return nil }
	c.Record.Number, c.Record.Bundle = 7, systemtest.Object(t, c.Store, "another commit's bundle")
	again := mapped(t, c, dir)
	defer again.Close()
	for _, m := range []*Mapped{first, again} {
		if m.own != "" {
			t.Errorf("%s would be removed", m.own)
		}
	}
	if asked > 0 {
		t.Error("the repository is asked again")
	}
	one, two := make([]byte, used), make([]byte, used)
	_, err := first.ReadAt(one, 0)
	_, other := again.ReadAt(two, 0)
	if err != nil || other != nil || !bytes.Equal(one, two) || first.Digest() != again.Digest() {
		t.Errorf("they differ: %v, %v", err, other)
	}
	if third := mapped(t, c, filepath.Join(t.TempDir(), "another")); third.Digest() == first.Digest() {
		t.Error("with another bundle it has the same digest")
	}
}

// TestDamageIsToldInTheEnd has a file of the store changed: its machine sees a disk that
// is broken, and who gives the disk says why.
func TestDamageIsToldInTheEnd(t *testing.T) {
	c := mappable(t)
	m := mapped(t, c, "")
	damaged := c.Store.ObjectPath(verity.Sum([]byte("small")))
	if err := os.WriteFile(damaged, []byte("spoil"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, io.NewSectionReader(m, 0, used)); err == nil {
		t.Error("it can be read")
	}
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), damaged+" is damaged") {
		t.Errorf("in the end it says %v", err)
	}
}
