package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

type part struct {
	name    string
	content []byte
}

// packAr writes an ar archive by hand.
func packAr(parts ...part) []byte {
	b := []byte(arMagic)
	for _, p := range parts {
		b = fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", p.name, 0, 0, 0, 0o100644, len(p.content))
		b = append(b, p.content...)
		if len(p.content)%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

func packTar(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := text(int(h.Size))
		if h.Typeflag == tar.TypeReg && h.Linkname != "" { // not used by files: their content here
			content, h.Linkname = []byte(h.Linkname), ""
			h.Size = int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: content}
}

const controlText = "Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nDescription: greets\n"

func controlTar(t testing.TB) []byte {
	return packTar(t, tar.Header{Typeflag: tar.TypeDir, Name: "./"},
		file("./control", controlText), file("./postinst", "#!/bin/sh\n"), file("./conffiles", "/etc/hello\n"))
}

func pack(t testing.TB, ending string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch ending {
	case "":
		return content
	case ".xz":
		return packXZ(t, content, 4096)
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	case ".bz2": // the standard library only reads it
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin = bytes.NewReader(content)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openBytes(b []byte) (*Deb, error) { return OpenDeb(bytes.NewReader(b), int64(len(b))) }

// readAll reads a whole .deb and returns its paths, or the first error.
func readAll(b []byte, limits Limits) ([]string, error) {
	d, err := openBytes(b)
	if err != nil {
		return nil, err
	}
	d.Limits = limits
	if _, err := d.Control(); err != nil {
		return nil, err
	}
	data, err := d.Data()
	if err != nil {
		return nil, err
	}
	defer data.Close()
	var paths []string
	for {
		e, err := data.Next()
		if err == io.EOF {
			return paths, nil
		}
		if err != nil {
			return nil, err
		}
		if n, err := io.Copy(io.Discard, data); err != nil {
			return nil, err
		} else if n != e.Size {
			return nil, fmt.Errorf("%s has %d bytes and %d are there", e.Path, e.Size, n)
		}
		paths = append(paths, e.Path)
	}
}

func TestDebInEveryCompression(t *testing.T) {
	data := packTar(t, tar.Header{Typeflag: tar.TypeDir, Name: "./"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./usr/bin/hello", Size: 30_000})
	for _, ending := range []string{"", ".gz", ".xz", ".zst", ".bz2"} {
		for workers := range 3 {
			d, err := openBytes(packAr(part{"debian-binary", []byte("2.0\n")},
				part{"control.tar" + ending, pack(t, ending, controlTar(t))},
				part{"_signature", []byte("odd")},
				part{"data.tar" + ending, pack(t, ending, data)},
				part{"later", nil}))
			if err != nil {
				t.Fatal(err)
			}
			d.Limits.Workers = workers
			c, err := d.Control()
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(c.Files)); !slices.Equal(got, []string{"conffiles", "control", "postinst"}) {
				t.Errorf("control files: %v", got)
			}
			if got := string(c.Files["postinst"]); got != "#!/bin/sh\n" {
				t.Errorf("postinst: %q", got)
			}
			p, err := c.Package()
			if err != nil || p.Name != "hello" || p.Version != "1.0-1" {
				t.Errorf("%+v, %v", p, err)
			}
			stream, err := d.DataStream()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(stream); err != nil || !bytes.Equal(got, data) {
				t.Errorf("data.tar%s: %d bytes, %v", ending, len(got), err)
			}
			stream.Close()
			r, err := d.Data()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"/", "/usr/bin/hello"} {
				if e, err := r.Next(); err != nil || e.Path != want {
					t.Fatalf("%+v, %v", e, err)
				}
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text(30_000)) {
				t.Errorf("hello: %d bytes, %v", len(got), err)
			}
			for range 2 {
				if _, err := r.Next(); err != io.EOF {
					t.Errorf("at the end: %v", err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDebRefusesBrokenArchives(t *testing.T) {
	binary := part{"debian-binary", []byte("2.0\n")}
	control := part{"control.tar", controlTar(t)}
	data := part{"data.tar", packTar(t)}
	good := packAr(binary, control, data)
	if _, err := readAll(good, Limits{}); err != nil {
		t.Fatal(err)
	}
	sized := func(size string) []byte {
		return append(packAr(binary), fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10s`\n", "control.tar", 0, 0, 0, 0, size)...)
	}
	for _, test := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"nothing", nil, "too short for an ar archive"},
		{"not ar", []byte("PK\x03\x04 not an archive"), "not an ar archive"},
		{"no members", []byte(arMagic), "the first member is not debian-binary"},
		{"another first member", packAr(control, binary, data), "the first member is not debian-binary"},
		{"old format", packAr(part{"debian-binary", []byte("0.939\n")}, control, data), `member debian-binary: format version "0.939" is not supported`},
		{"future format", packAr(part{"debian-binary", []byte("3.0\n")}, control, data), `member debian-binary: format version "3.0" is not supported`},
		{"endless version", packAr(part{"debian-binary", bytes.Repeat([]byte("2"), 999)}, control, data), "member debian-binary: format"},
		{"no control", packAr(binary, part{"_x", nil}), "member control.tar is missing"},
		{"no data", packAr(binary, control), "member data.tar is missing"},
		{"data before control", packAr(binary, data, control), "member data.tar stands before control.tar"},
		{"control twice", packAr(binary, control, part{"control.tar.gz", nil}, data), "member control.tar.gz: control.tar is there already"},
		{"data twice", packAr(binary, control, data, part{"data.tar.xz", nil}), "member data.tar.xz: data.tar is there already"},
		{"unknown member", packAr(binary, control, part{"evil", nil}, data), "unexpected member evil"},
		{"unknown compression", packAr(binary, control, part{"data.tar.lzma", nil}), `member data.tar.lzma: compression ".lzma" is not supported`},
		{"cut in a header", good[:len(packAr(binary))+20], "truncated in the header of the member at byte 72"},
		{"cut in a member", good[:len(packAr(binary))+500], "member control.tar: truncated: 440 bytes of 4608 are there"},
		{"size beyond the file", sized("9999999999"), "member control.tar: truncated"},
		{"negative size", sized("-1"), `member control.tar: "-1        " is not a size`},
		{"no size", sized(""), "is not a size"},
		{"size in words", sized("0x10"), "is not a size"},
		{"no end mark", bytes.Replace(good, []byte("`\n"), []byte("``"), 1), "its header has no end mark"},
		{"a path for a name", packAr(binary, part{"../control.tar", nil}), "is not a member name"},
		{"a blank name", packAr(binary, part{"", nil}), "is not a member name"},
		{"very many members", packAr(slices.Insert(make([]part, 0), 0, slices.Repeat([]part{{"debian-binary", []byte("2.0\n")}}, 65)...)...), "more than 64 members"},
		{"control is not tar", packAr(binary, part{"control.tar", text(2000)}, data), "member control.tar: archive/tar: invalid tar header"},
		{"control is not gzip", packAr(binary, part{"control.tar.gz", text(2000)}, data), "member control.tar.gz: gzip: invalid header"},
		{"control is not xz", packAr(binary, part{"control.tar.xz", text(2000)}, data), "member control.tar.xz: xz: this is no xz stream"},
		{"data is not zstd", packAr(binary, control, part{"data.tar.zst", text(2000)}), "member data.tar.zst: "},
		{"data is not bzip2", packAr(binary, control, part{"data.tar.bz2", text(2000)}), "member data.tar.bz2: bzip2 data invalid"},
		{"data is empty xz", packAr(binary, control, part{"data.tar.xz", nil}), "member data.tar.xz: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readAll(test.bytes, Limits{Workers: 2})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestDebRefusesBrokenControlArchives(t *testing.T) {
	control := file("./control", controlText)
	for _, test := range []struct {
		name    string
		headers []tar.Header
		want    string
	}{
		{"no control file", []tar.Header{file("./postinst", "x")}, "file control is missing"},
		{"control file twice", []tar.Header{control, file("control", controlText)}, "file control is there twice"},
		{"a directory", []tar.Header{control, {Typeflag: tar.TypeDir, Name: "x/"}}, "directory"},
		{"a file in a directory", []tar.Header{control, file("x/y", "z")}, "is not a name for a control file"},
		{"a file outside", []tar.Header{control, file("../x", "z")}, "is not a name for a control file"},
		{"an absolute file", []tar.Header{control, file("/x", "z")}, "is not a name for a control file"},
		{"a link", []tar.Header{control, {Typeflag: tar.TypeSymlink, Name: "postinst", Linkname: "/bin/sh"}}, "is not a regular file"},
		{"a large file", []tar.Header{control, {Typeflag: tar.TypeReg, Name: "md5sums", Size: 10_001}}, "file md5sums: 10001 bytes are more than the limit of 10000"},
		{"too much in all", []tar.Header{control, {Typeflag: tar.TypeReg, Name: "a", Size: 9000}, {Typeflag: tar.TypeReg, Name: "b", Size: 9000}}, ErrTooLarge.Error()},
		{"two stanzas", []tar.Header{file("./control", controlText+"\n"+controlText)}, "file control: line 6: a second stanza"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar.gz", pack(t, ".gz", packTar(t, test.headers...))},
				part{"data.tar", packTar(t)})
			_, err := readAll(b, Limits{ControlFile: 10_000, ControlSize: 15_000})
			if err == nil || !strings.HasPrefix(err.Error(), "read .deb: member control.tar.gz: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestDebAsDpkgMakesIt(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"DEBIAN/control": "Package: hello\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: greets\n more\n",
		"DEBIAN/md5sums": "", "usr/bin/hello": string(text(100_000)), "usr/share/ä ö": "x",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "root", filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "root", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "root/usr/bin/hello"), filepath.Join(dir, "root/usr/bin/"+strings.Repeat("long", 40))); err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{"none", "gzip", "xz", "zstd"} {
		out := filepath.Join(dir, compression+".deb")
		if b, err := exec.Command("dpkg-deb", "--root-owner-group", "-Z"+compression, "-b", filepath.Join(dir, "root"), out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		want, err := exec.Command("dpkg-deb", "--fsys-tarfile", out).Output()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		d, err := openBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := d.DataStream()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(stream); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, dpkg-deb gives %d, %v", compression, len(got), len(want), err)
		}
		stream.Close()
		paths, err := readAll(b, Limits{})
		if err != nil || len(paths) != 7 {
			t.Errorf("%s: %q, %v", compression, paths, err)
		}
	}
}

func FuzzDeb(f *testing.F) {
	data := packTar(f, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, file("./usr/bin/x", "content"),
		tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/y", Linkname: "./usr/bin/x"})
	for _, ending := range []string{"", ".gz", ".xz", ".zst"} {
		f.Add(packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar" + ending, pack(f, ending, controlTar(f))},
			part{"data.tar" + ending, pack(f, ending, data)}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		paths, err := readAll(b, Limits{ControlSize: 1 << 20, DataSize: 1 << 20, Workers: 2})
		if err != nil {
			return
		}
		for _, p := range paths {
			if p != filepath.Clean(p) || p[0] != '/' || strings.Contains(p, "/../") {
				t.Errorf("path %q", p)
			}
		}
	})
}
