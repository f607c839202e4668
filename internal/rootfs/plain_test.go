package rootfs

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"stet/internal/tree"
)

// gzipped gives a file that is no smaller than the text.
func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestModulesAreShownDecompressed(t *testing.T) {
	const dir = "/usr/lib/modules/6.12/kernel"
	const module = "\x7fELF and more"
	for name, c := range map[string]struct {
		files map[string]string
		disk  bool
		shown bool
	}{
		"modules":                    {files: map[string]string{"/a.ko.gz": gzipped(t, module), "/fs/b.ko.gz": gzipped(t, module)}, shown: true},
		"no room in memory":          {files: map[string]string{"/a.ko.gz": gzipped(t, module)}, disk: true},
		"one that is plain":          {files: map[string]string{"/a.ko.gz": gzipped(t, module), "/b.ko": module}},
		"one compressed twice":       {files: map[string]string{"/a.ko.gz": gzipped(t, gzipped(t, module))}},
		"one that is damaged":        {files: map[string]string{"/a.ko.gz": gzipped(t, module)[:20]}},
		"one that is empty":          {files: map[string]string{"/a.ko.gz": gzipped(t, "")}},
		"more than there is use for": {files: map[string]string{"/a.ko.gz": gzipped(t, module), "/b.ko.gz": gzipped(t, module+strings.Repeat("0", compressedMost))}},
		"one that is another file":   {files: map[string]string{"/a.ko.gz": "=> b.ko.gz"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			b := tree.NewBuilder()
			for _, parent := range []string{"/", "/usr", "/usr/lib", "/usr/lib/modules", "/usr/lib/modules/6.12", dir, dir + "/fs"} {
				b.Put(tree.Entry{Path: parent, Type: tree.Directory, Mode: 0o755})
			}
			for name, text := range c.files {
				if target, is := strings.CutPrefix(text, "=> "); is {
					b.Put(tree.Entry{Path: dir + name, Type: tree.Symlink, Target: target})
				} else if err := putFile(s, b, dir+name, []byte(text), 0o644, tree.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			before, err := b.Tree()
			if err != nil {
				t.Fatal(err)
			}
			builder := Builder{Store: s}
			mounts := builder.plain(t.Context(), before, headStarts, room{dir: t.TempDir(), memory: !c.disk})
			if !c.shown {
				if len(mounts) > 0 {
					t.Errorf("mounts %+v", mounts)
				}
				return
			}
			if len(mounts) != 1 || mounts[0].Target != dir || !mounts[0].Bind.ReadOnly {
				t.Fatalf("mounts %+v", mounts)
			}
			for name := range c.files {
				if text, err := os.ReadFile(filepath.Join(mounts[0].Bind.Source, name)); err != nil || string(text) != module {
					t.Errorf("%s is %q, %v", name, text, err)
				}
			}
		})
	}
}

func TestNoMoreIsDecompressedThanThereIsMemoryFor(t *testing.T) {
	s := openStore(t)
	before := rootOf(t, s, map[string]string{"/a.ko.gz": gzipped(t, "\x7fELF and more")})
	module, _ := before.Lookup("/a.ko.gz")
	for _, laid := range []int64{plainMost - 3, plainMost, plainMost + 1} {
		var size atomic.Int64
		size.Store(laid)
		err := (&Builder{Store: s}).decompress(module, filepath.Join(t.TempDir(), "a.ko"), &size)
		if err == nil {
			t.Errorf("took a module where %d bytes are laid out", laid)
		}
	}
}
