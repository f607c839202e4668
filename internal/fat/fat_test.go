package fat

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

// contents are files around the edges: names that need a long entry, that share
// a short one, that fill one exactly; sizes around a cluster; many in one directory.
func contents() map[string][]byte {
	files := map[string][]byte{
		"EFI/BOOT/BOOTX64.EFI":                   bytes.Repeat([]byte("boot"), 50_000),
		"EFI/systemd/systemd-bootx64.efi":        bytes.Repeat([]byte("boot"), 50_000),
		"loader/loader.conf":                     []byte("timeout 3\n"),
		"loader/entries/stet-1.conf":             []byte("title\n"),
		"loader/entries/stet-1+3.conf":           []byte("title 2\n"),
		"loader/thirteen.unit":                   {},
		"loader/.hidden":                         []byte("."),
		"loader/ünïcode ✓.txt":                   []byte("ü"),
		"loader/" + strings.Repeat("long", 63):   []byte("long"),
		"stet/kernel-" + strings.Repeat("a", 32): bytes.Repeat([]byte{7}, 3*mib+1),
		"stet/kernel-" + strings.Repeat("b", 32): bytes.Repeat([]byte{8}, 4096),
		"stet/initrd-" + strings.Repeat("c", 32): bytes.Repeat([]byte{9}, 4097),
	}
	for i := range 300 {
		files[fmt.Sprintf("many/entry-with-a-number-%03d.conf", i)] = fmt.Append(nil, i)
	}
	return files
}

func volume(size int64) Volume {
	v := Volume{Size: size, Label: "ESP", Serial: 0x12345678, Time: time.Date(2026, 11, 22, 2, 9, 5, 0, time.UTC)}
	for name, content := range contents() { // in any order
		v.Files = append(v.Files, File{Path: name, Size: int64(len(content)), Open: Content(content)})
	}
	return v
}

func write(t testing.TB, v Volume) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fat")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(v.Size); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, v); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFsckFindsNothing(t *testing.T) {
	for _, size := range []int64{MinSize, 64 * mib, 200 * mib, 260 * mib, 512 * mib, 3 << 30} {
		out, err := exec.Command("fsck.vfat", "-n", "-v", write(t, volume(size))).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "2 FATs, 32 bit entries") {
			t.Errorf("%d MB: %v\n%s", size/mib, err, out)
		}
	}
}

// TestOthersReadWhatWasWritten has mtools read the volume and write to it. The
// kernel's own driver does that in the machine's tests.
func TestOthersReadWhatWasWritten(t *testing.T) {
	name, dir := write(t, volume(200*mib)), t.TempDir()
	mtools := func(args ...string) {
		t.Helper()
		command := exec.Command(args[0], args[1:]...)
		command.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	mtools("mcopy", "-i", name, "-s", "-m", "-n", "::/*", dir)
	got := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && !info.ModTime().Equal(time.Date(2026, 11, 22, 2, 9, 4, 0, time.UTC)) {
			t.Errorf("%s is of %v", path, info.ModTime().UTC())
		}
		relative, _ := filepath.Rel(dir, path)
		got[relative], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := contents()
	for name, content := range want {
		if !bytes.Equal(got[name], content) {
			t.Errorf("%s has %d bytes, want %d", name, len(got[name]), len(content))
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d files, want %d", len(got), len(want))
	}
	// And it goes on from there.
	mtools("mcopy", "-i", name, filepath.Join(dir, "stet/kernel-"+strings.Repeat("a", 32)), "::/loader/entries/stet-2+3.conf")
	if out, err := exec.Command("fsck.vfat", "-n", name).CombinedOutput(); err != nil {
		t.Errorf("after another program wrote to it: %v\n%s", err, out)
	}
}

func TestTheOrderOfFilesDoesNotMatter(t *testing.T) {
	first := volume(MinSize)
	second := volume(MinSize)
	slices.SortFunc(second.Files, func(a, b File) int { return -strings.Compare(a.Path, b.Path) })
	a, err := os.ReadFile(write(t, first))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(write(t, second))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the bytes differ (%v)", err)
	}
}

func TestWhatFATCannotHaveIsRefused(t *testing.T) {
	file := func(name string) File { return File{Path: name, Open: Content(nil)} }
	for want, v := range map[string]Volume{
		"cannot have 1 MB":                      {Size: mib},
		"too small for its files":               {Size: MinSize, Files: []File{{Path: "a", Size: 40 * mib, Open: Content(nil)}}},
		"cannot be in one directory":            {Size: MinSize, Files: []File{file("a/B"), file("a/b")}},
		"no name":                               {Size: MinSize, Files: []File{file("a/b:c")}},
		"too many for a FAT":                    {Size: MinSize, Files: []File{{Path: "a", Size: 1 << 32}}},
		"write a: unexpected EOF":               {Size: MinSize, Files: []File{{Path: "a", Size: 5, Open: Content([]byte("abc"))}}},
		"a and a cannot be in one directory":    {Size: MinSize, Files: []File{file("a"), file("a/b")}},
		`"d. " is no name in a FAT file system`: {Size: MinSize, Files: []File{file("d. ")}},
	} {
		if err := Write(nowhere{}, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
