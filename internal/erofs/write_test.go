package erofs

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	goerofs "github.com/erofs/go-erofs"
	"stet/internal/tree"
	"stet/internal/verity"
)

// sample has every type of entry, directories of none, some and many blocks,
// and lengths around the edges of a block.
func sample(t testing.TB) *tree.Tree {
	t.Helper()
	b := tree.NewBuilder()
	put := func(e tree.Entry) {
		b.MakeParents(e.Path, tree.Time{Sec: 1700000000})
		b.Put(e)
	}
	put(tree.Entry{Path: "/dev/null", Type: tree.CharDevice, Mode: 0o666, Rdev: 0x103})
	put(tree.Entry{Path: "/dev/sda", Type: tree.BlockDevice, Mode: 0o660, GID: 6, Rdev: 0x800})
	put(tree.Entry{Path: "/run/pipe", Type: tree.FIFO, Mode: 0o600})
	put(tree.Entry{Path: "/usr/bin/su", Type: tree.Regular, Mode: 0o4755, Size: 3, Digest: verity.Sum([]byte("abc")), Mtime: tree.Time{Sec: 1, Nsec: 7}})
	put(tree.Entry{Path: "/usr/bin/ping", Type: tree.Regular, Mode: 0o755, Size: 1 << 33, Digest: verity.Sum([]byte("x")),
		Xattrs: []tree.Xattr{{Key: "security.capability", Value: []byte{1, 0, 0, 2, 0}}, {Key: "user.note", Value: []byte("n")}}})
	put(tree.Entry{Path: "/empty", Type: tree.Regular, Mode: 0o644, UID: 70000, GID: 70000})
	put(tree.Entry{Path: "/none", Type: tree.Directory, Mode: 0o1777})
	for _, length := range []int{1, 100, 3900, 4000, 4095} {
		put(tree.Entry{Path: fmt.Sprintf("/links/%d", length), Type: tree.Symlink, Mode: 0o777, Target: strings.Repeat("t", length)})
	}
	for _, count := range []int{1, 50, 170, 171, 172, 1000} {
		for i := range count {
			put(tree.Entry{Path: fmt.Sprintf("/many/%d/file-%05d", count, i), Type: tree.Regular, Mode: 0o644, Size: 1, Digest: verity.Sum([]byte{byte(i)})})
		}
	}
	for i := range 300 { // names of every length, also before "." in byte order
		put(tree.Entry{Path: "/names/" + strings.Repeat("+", i%250+1) + fmt.Sprint(i), Type: tree.Directory, Mode: 0o755})
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func image(t testing.TB, made *tree.Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, made); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestImageReadsBackWithAnotherImplementation(t *testing.T) {
	made := sample(t)
	read, err := goerofs.Open(bytes.NewReader(image(t, made)))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = fs.WalkDir(read, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		count++
		want, ok := made.Lookup("/" + strings.TrimPrefix(name, "."))
		if !ok {
			t.Fatalf("%s was made up", name)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*goerofs.Stat)
		if stat.UID != want.UID || stat.GID != want.GID || int64(stat.Mtime) != want.Mtime.Sec || stat.MtimeNs != want.Mtime.Nsec ||
			uint32(info.Mode().Perm()) != want.Mode&0o777 || uint64(stat.Rdev) != want.Rdev {
			t.Errorf("%s: have %+v, want %+v", name, stat, want)
		}
		if want.Type == tree.Regular && info.Size() != want.Size {
			t.Errorf("%s: have size %d, want %d", name, info.Size(), want.Size)
		}
		if want.Size > 0 {
			object := want.Digest.String()
			if have := stat.Xattrs["trusted.overlay.redirect"]; have != "/"+object[:2]+"/"+object[2:] {
				t.Errorf("%s: redirects to %q", name, have)
			}
			if have := stat.Xattrs["trusted.overlay.metacopy"]; have != "\x00\x24\x00\x01"+string(want.Digest[:]) {
				t.Errorf("%s: metacopy is %x", name, have)
			}
		}
		for _, x := range want.Xattrs {
			if stat.Xattrs[x.Key] != string(x.Value) {
				t.Errorf("%s: %s is %q", name, x.Key, stat.Xattrs[x.Key])
			}
		}
		if want.Type == tree.Symlink {
			target, err := fs.ReadLink(read, name)
			if err != nil || target != want.Target {
				t.Errorf("%s: links to %q, %v", name, target, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count != made.Len() {
		t.Errorf("have %d entries, want %d", count, made.Len())
	}
}

func TestImagePassesFsck(t *testing.T) {
	fsck, err := exec.LookPath("fsck.erofs")
	if err != nil {
		t.Fatal("the oracle is missing: apt-get install erofs-utils")
	}
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, image(t, sample(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(fsck, path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheSameTreeGivesTheSameBytes(t *testing.T) {
	if !bytes.Equal(image(t, sample(t)), image(t, sample(t))) {
		t.Error("two images of one tree differ")
	}
}

func TestOverlayAttributesAreRefused(t *testing.T) {
	made, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755,
		Xattrs: []tree.Xattr{{Key: "trusted.overlay.opaque", Value: []byte("y")}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(&bytes.Buffer{}, made); err == nil {
		t.Error("an attribute that would change the image's meaning was written")
	}
}

func BenchmarkWrite(b *testing.B) {
	builder := tree.NewBuilder()
	for i := range 50000 {
		e := tree.Entry{Path: fmt.Sprintf("/usr/share/%d/%d/file", i%500, i), Type: tree.Regular, Mode: 0o644, Size: 1, Digest: verity.Sum([]byte{1})}
		builder.MakeParents(e.Path, tree.Time{})
		builder.Put(e)
	}
	made, err := builder.Tree()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		image(b, made)
	}
}
