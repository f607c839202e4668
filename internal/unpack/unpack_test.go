package unpack

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/store"
	"stet/internal/tree"
)

// deb makes a .deb (deb(5)) with the given entries in its data.tar.
func deb(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	control := archive(t, tar.Header{Name: "./control", Typeflag: tar.TypeReg, Mode: 0o644, Linkname: "Package: a\nVersion: 1\nArchitecture: all\n"},
		tar.Header{Name: "./postinst", Typeflag: tar.TypeReg, Mode: 0o755, Linkname: "#!/bin/sh\n"})
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar", control}, {"data.tar", archive(t, entries...)}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", member.name, 0, 0, 0, 0o100644, len(member.data))
		out.Write(member.data)
		if len(member.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// archive makes a tar; Linkname of a file is its content.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname = h.Linkname, ""
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpackInto(t *testing.T, data []byte) (*store.Store, Package, error) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p, err := Deb(s, bytes.NewReader(data), int64(len(data)), strings.Repeat("0", 64), 1)
	return s, p, err
}

func TestDebBecomesATree(t *testing.T) {
	s, p, err := unpackInto(t, deb(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./usr/bin/a", Typeflag: tar.TypeReg, Mode: 0o4755, Gid: 42, Linkname: "program",
			Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00"}},
		tar.Header{Name: "./usr/bin/b", Typeflag: tar.TypeLink, Linkname: "./usr/bin/a"},
		tar.Header{Name: "./usr/bin/c", Typeflag: tar.TypeSymlink, Linkname: "a"},
		tar.Header{Name: "./var/empty", Typeflag: tar.TypeReg, Mode: 0o600},
	))
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.Tree(p.Files)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := files.Lookup("/usr/bin/a")
	b, _ := files.Lookup("/usr/bin/b")
	c, _ := files.Lookup("/usr/bin/c")
	empty, _ := files.Lookup("/var/empty")
	if a.Mode != 0o4755 || a.GID != 42 || a.Size != 7 {
		t.Errorf("a is %+v", a)
	}
	if value, ok := a.Xattr("security.capability"); !ok || string(value) != "\x01\x00" {
		t.Errorf("a has the capability %x", value)
	}
	if !b.SameContent(a) || !b.SameMetadata(a) {
		t.Errorf("the hard link is %+v", b)
	}
	if c.Type != tree.Symlink || c.Target != "a" || !empty.Digest.IsZero() {
		t.Errorf("c is %+v, empty %+v", c, empty)
	}
	if data, err := s.ReadObject(a.Digest); err != nil || string(data) != "program" {
		t.Errorf("a holds %q, %v", data, err)
	}
	control, err := s.Tree(p.Control)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := control.Lookup("/postinst"); !ok {
		t.Error("the postinst is missing")
	}
}

func TestWhatNoPackageMayHoldIsRefused(t *testing.T) {
	for problem, h := range map[string][]tar.Header{
		"has no devices":      {{Name: "./dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8}},
		"no earlier file":     {{Name: "./a", Typeflag: tar.TypeLink, Linkname: "./b"}},
		"this path twice":     {{Name: "./a", Typeflag: tar.TypeReg}, {Name: "./a", Typeflag: tar.TypeSymlink, Linkname: "b"}},
		"no parent directory": {{Name: "./a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "./a/passwd", Typeflag: tar.TypeReg}},
		"runs as user 1000":   {{Name: "./a", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 1000}},
		"and group 1000":      {{Name: "./a", Typeflag: tar.TypeReg, Mode: 0o2755, Gid: 1000}},
		"..":                  {{Name: "./a/../../etc/passwd", Typeflag: tar.TypeReg}},
	} {
		if _, _, err := unpackInto(t, deb(t, h...)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: have %v", problem, err)
		}
	}
}

func TestATruncatedDebIsAnError(t *testing.T) {
	whole := deb(t, tar.Header{Name: "./a", Typeflag: tar.TypeReg, Linkname: strings.Repeat("x", 5000)})
	for size := 0; size < len(whole)-1024; size += 97 {
		if _, _, err := unpackInto(t, whole[:size]); err == nil {
			t.Fatalf("%d of %d bytes were unpacked", size, len(whole))
		}
	}
}

func TestADebIsUnpackedOnce(t *testing.T) {
	s, p, err := unpackInto(t, deb(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Deb(s, bytes.NewReader(nil), 0, strings.Repeat("0", 64), 1)
	if err != nil || again != p {
		t.Errorf("have %+v, %v", again, err)
	}
}
