package wrong_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

// A package of these is no package that any tool would make.
type rawPackage struct {
	name    string
	control []tar.Header // beside the control file
	data    []tar.Header // Linkname of a file is its content
	zeros   int64        // bytes of one more file
}

// write makes the .deb in a directory, its data.tar compressed so well that a
// few bytes become very many.
func (p rawPackage) write(t *testing.T, dir string) string {
	t.Helper()
	control := packed(t, append([]tar.Header{{
		Name: "./control", Typeflag: tar.TypeReg, Mode: 0o644,
		Linkname: "Package: " + p.name + "\nVersion: 1.0\nArchitecture: amd64\nMaintainer: Nobody <nobody@localhost>\nDescription: made for a test\n",
	}}, p.control...), 0)
	name := filepath.Join(dir, p.name+".deb")
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.zst", control}, {"data.tar.zst", packed(t, p.data, p.zeros)}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, 0, 0, 0, "100644", len(member.data))
		out.Write(member.data)
		if len(member.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func packed(t *testing.T, entries []tar.Header, zeros int64) []byte {
	t.Helper()
	var out bytes.Buffer
	compressed, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(compressed)
	add := func(h tar.Header, content io.Reader) {
		if err := archive.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(archive, content, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range entries {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname = h.Linkname, ""
			h.Size = int64(len(content))
		}
		add(h, strings.NewReader(content))
	}
	if zeros > 0 {
		add(tar.Header{Name: "./usr/share/zeros", Typeflag: tar.TypeReg, Mode: 0o644, Size: zeros}, endless{})
	}
	for _, w := range []io.Closer{archive, compressed} {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb is the size of a file of zeros, in bytes.
const bomb = 10 << 30

// What no package may have is refused by the package's name and the path. What
// looks like it but is right, is taken.
func TestPackagesThatAreRefused(t *testing.T) {
	file := func(name, content string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Linkname: content}
	}
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: kind, Mode: 0o777, Linkname: target}
	}
	cases := []struct {
		rawPackage
		local bool // no archive would take it
		words []string
	}{
		{rawPackage{name: "climber", data: []tar.Header{file("./usr/../../etc/passwd", "x")}}, false, []string{"../../etc/passwd", "goes upwards"}},
		{rawPackage{name: "absolute", data: []tar.Header{file("/etc/passwd", "x")}}, false, []string{`"/etc/passwd" is absolute`}},
		{rawPackage{name: "tunnel", data: []tar.Header{link(tar.TypeSymlink, "./usr/share/tunnel", "/etc"), file("./usr/share/tunnel/passwd", "x")}}, false,
			[]string{"/usr/share/tunnel/passwd", "no parent directory"}},
		{rawPackage{name: "device", data: []tar.Header{{Name: "./usr/share/sda", Typeflag: tar.TypeBlock, Devmajor: 8, Mode: 0o666}}}, false,
			[]string{"/usr/share/sda", "block device (8:0)"}},
		{rawPackage{name: "duplicate", data: []tar.Header{file("./usr/share/twice", "harmless"), file("./usr/share/twice", "harmful")}}, false,
			[]string{"/usr/share/twice", "this path twice"}},
		{rawPackage{name: "linker", data: []tar.Header{link(tar.TypeLink, "./usr/share/shadow", "./etc/shadow")}}, false,
			[]string{"/usr/share/shadow", "hard link to /etc/shadow"}},
		{rawPackage{name: "suid-somebody", data: []tar.Header{{Name: "./usr/bin/suid", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 4711}}}, false,
			[]string{"/usr/bin/suid", "runs as user 4711"}},
		{rawPackage{name: "bomb", zeros: bomb}, false, []string{"/usr/share/zeros", "decompresses to more than is allowed"}},
		{rawPackage{name: "two-controls", control: []tar.Header{file("./control", "Package: other\n")}}, true, []string{"file control is there twice"}},
		{rawPackage{name: "turning", control: []tar.Header{link(tar.TypeSymlink, "./postinst", "postinst")}}, true, []string{"postinst", "not a regular file"}},
	}
	w := loopback.New(t,
		mirrortest.Deb{Name: "chicken", Fields: map[string]string{"Depends": "egg"}},
		mirrortest.Deb{Name: "egg", Fields: map[string]string{"Depends": "chicken, egg"}},
		mirrortest.Deb{Name: "before", Fields: map[string]string{"Pre-Depends": "first"}},
		mirrortest.Deb{Name: "first", Fields: map[string]string{"Pre-Depends": "before"}},
		mirrortest.Deb{Name: "mine", Files: map[string]string{"/usr/share/ours": "mine\n"}},
		mirrortest.Deb{Name: "yours", Files: map[string]string{"/usr/share/ours": "yours\n"}},
	)
	dir := t.TempDir()
	suid := rawPackage{name: "suid-root", data: []tar.Header{{Name: "./usr/bin/suid", Typeflag: tar.TypeReg, Mode: 0o6755, Linkname: "#!/bin/sh\n"}}}
	if _, err := w.Archive.AddFile(suid.write(t, dir)); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if name := c.write(t, dir); !c.local {
			if _, err := w.Archive.AddFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Serve(t)
	w.GiveDebs(t)
	before := w.Lock(t)
	good := *w
	good.Stet.Dir = copyOf(t, w.Stet.Dir)
	good.Want(t, "suid-root", "chicken") // which is in a circle that Debian has, too
	good.Stet.Must(t, "lock")
	t.Run("suid-root", func(t *testing.T) { hasSetUserID(t, &good) })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			here := *w
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			wish, code := c.name, 1
			if c.local {
				if err := os.Rename(filepath.Join(dir, c.name+".deb"), filepath.Join(here.Stet.Dir, c.name+".deb")); err != nil {
					t.Fatal(err)
				}
				wish, code = fmt.Sprintf("%s: {local: ./%[1]s.deb}", c.name), 2
			}
			here.Want(t, wish)
			r := here.Stet.Run(t, "lock")
			refused(t, r, code, append(c.words, c.name)...)
			if r.CPU > time.Minute || r.Memory > 500<<20 {
				t.Errorf("it took %s and %d MB to see that", r.CPU, r.Memory>>20)
			}
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
	for _, c := range []struct {
		name     string
		packages []string
		code     int
		words    []string
	}{
		{"Pre-Depends that go round", []string{"before"}, 2, []string{"before (1.0) pre-depends on first", "first (1.0) pre-depends on before"}},
		{"one file of two packages", []string{"mine", "yours"}, 1, []string{"package mine 1.0 ships /usr/share/ours", "package yours 1.0 ships /usr/share/ours", "neither Replaces the other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := *w
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			here.Want(t, c.packages...)
			refused(t, here.Stet.Run(t, "lock"), c.code, c.words...)
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}

// hasSetUserID holds a program with such bits to have them in the machine, and
// nowhere on the host.
func hasSetUserID(t *testing.T, w *loopback.World) {
	if have := w.Stet.Must(t, "shell", "--", "stat", "-c", "%a %U:%G", "/usr/bin/suid").Stdout; have != "6755 root:root\n" {
		t.Errorf("in the machine it is %s", have)
	}
	err := filepath.WalkDir(w.Store, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			t.Errorf("on the host, %s is %s", name, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
