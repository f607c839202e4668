package ext4

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

// files are some around the edges: sizes around a block and an extent, directories that
// need several blocks and deep ones, all kinds.
func files() []File {
	var all []File
	regular := func(name string, size int) {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i>>12) ^ byte(i) ^ byte(len(name))
		}
		all = append(all, File{Path: name, Mode: 0o600, Size: int64(size), Content: bytes.NewReader(content)})
	}
	for _, size := range []int{0, 1, 4095, 4096, 4097, 3 * mib, 150 * mib} {
		regular(fmt.Sprintf("sizes/of-%d", size), size)
	}
	for i := range 3000 {
		regular(fmt.Sprintf("many/%03d/a-name-that-takes-some-room-%04d-%s", i/1000, i, strings.Repeat("x", i%200)), i)
	}
	regular(strings.Repeat("deep/", 40)+"file", 5)
	regular("exact/"+strings.Repeat("n", 255), 3)
	return append(all,
		File{Path: "link", Mode: fs.ModeSymlink | 0o777, Target: "sizes/of-1"},
		File{Path: "long-link", Mode: fs.ModeSymlink | 0o777, Target: strings.Repeat("elsewhere/", 30)},
		File{Path: "sizes", Mode: fs.ModeDir | 0o700},
		File{Path: "empty", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		File{Path: "bin/program", Mode: fs.ModeSetuid | 0o755, Size: 2, Content: strings.NewReader("#!")},
	)
}

// What there is beside these: inodes that have numbers, and directories that are only
// named by what is in them.
const (
	reserved    = 11
	directories = 46
)

func volume(size int64) Volume {
	v := Volume{Size: size, Label: "stet", Time: time.Unix(1_790_000_000, 0), Files: files()}
	copy(v.UUID[:], "the uuid of this")
	return v
}

// written is an image as a file.
func written(t testing.TB, i *Image) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range i.pieces {
		if _, err := io.Copy(io.NewOffsetWriter(file, p.at), io.NewSectionReader(p.content, 0, p.size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Truncate(i.Size()); err != nil {
		t.Fatal(err)
	}
	return name
}

func tool(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

func TestE2fsckFindsNothing(t *testing.T) {
	for _, size := range []int64{400 * mib, 1 << 30, 8 << 30, 20<<30 + 12345} {
		i, err := New(volume(size))
		if err != nil {
			t.Fatal(err)
		}
		if out := tool(t, "e2fsck", "-fn", written(t, i)); !strings.Contains(out, fmt.Sprintf("%d/", reserved+directories+len(files()))) {
			t.Errorf("%d MB:\n%s", size/mib, out)
		}
	}
}

// special are the bits that debugfs(8) does not bring back.
const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// TestDebugfsReadsAll has all that was given come back.
func TestDebugfsReadsAll(t *testing.T) {
	i, err := New(volume(1 << 30))
	if err != nil {
		t.Fatal(err)
	}
	name, out := written(t, i), t.TempDir()
	tool(t, "debugfs", "-R", "rdump / "+out, name)
	for path, want := range map[string]string{"/bin/program": "04755", "/empty": "01777", "/sizes/of-1": "0600"} {
		if said := tool(t, "debugfs", "-R", "stat "+path, name); !strings.Contains(said, "Mode:  "+want+" ") {
			t.Errorf("%s has not the mode %s:\n%s", path, want, said)
		}
	}
	for _, f := range files() {
		at := filepath.Join(out, f.Path)
		info, err := os.Lstat(at)
		if err != nil || info.Mode()&^special != f.Mode&^special {
			t.Errorf("%s is %v, %v", f.Path, info, err)
			continue
		}
		switch f.Mode.Type() {
		case 0:
			want := sha256.New()
			_, _ = io.Copy(want, io.NewSectionReader(f.Content, 0, f.Size))
			have, err := os.ReadFile(at)
			if err != nil || sha256.Sum256(have) != [32]byte(want.Sum(nil)) || !info.ModTime().Equal(time.Unix(1_790_000_000, 0)) {
				t.Errorf("%s has another content, or time: %v", f.Path, err)
			}
		case fs.ModeSymlink:
			if have, err := os.Readlink(at); err != nil || have != f.Target {
				t.Errorf("%s leads to %q, %v", f.Path, have, err)
			}
		}
	}
}

func TestReadsAnywhereAreTheSame(t *testing.T) {
	i, err := New(volume(400 * mib))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(written(t, i))
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		at, buffer := rand.Int64N(i.Size()), make([]byte, rand.IntN(100_000))
		n, err := i.ReadAt(buffer, at)
		if want := min(len(buffer), int(i.Size()-at)); n != want || (err == io.EOF) != (n < len(buffer)) || !bytes.Equal(buffer[:n], whole[at:at+int64(n)]) {
			t.Fatalf("%d bytes at %d: %d, %v", len(buffer), at, n, err)
		}
	}
}

func TestWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		size int64
		file File
		want string
	}{
		{400 * mib, File{Path: "../up"}, "cannot be a file's path"},
		{400 * mib, File{Path: "/up"}, "cannot be a file's path"},
		{400 * mib, File{Path: strings.Repeat("n", 256)}, "cannot be a file's path"},
		{400 * mib, File{Path: "sizes/of-1"}, "is there twice"},
		{400 * mib, File{Path: "sizes"}, "is there twice"},
		{400 * mib, File{Path: "sizes/of-1/below"}, "sizes/of-1 has files below it"},
		{400 * mib, File{Path: "device", Mode: fs.ModeDevice}, "nothing that a disk of Stet's has"},
		{400 * mib, File{Path: "link", Mode: fs.ModeSymlink, Target: "twice"}, "twice"},
		{64 * mib, File{Path: "large", Size: 100 * mib, Content: zeros{}}, "no space"},
		{1000, File{Path: "file"}, "no size for a file system"},
	} {
		v := volume(c.size)
		v.Files = append(v.Files, c.file)
		if _, err := New(v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.file, err)
		}
	}
}
