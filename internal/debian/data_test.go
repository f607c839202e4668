package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func debWith(t testing.TB, headers ...tar.Header) []byte {
	return packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", controlTar(t)}, part{"data.tar", packTar(t, headers...)})
}

func TestDataEntries(t *testing.T) {
	stamp := time.Unix(1_700_000_000, 0)
	d, err := openBytes(debWith(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeReg, Name: "./usr//./bin/x", Mode: 0o4755, Uid: 1, Gid: 2, Uname: "daemon", Gname: "bin", Size: 3, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/y", Linkname: "./usr/bin/x", ModTime: stamp},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/z", Linkname: "../../../x", Mode: 0o777, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Devmajor: 1, Devminor: 3, Mode: 0o666, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeBlock, Name: "dev/sda", Devmajor: 8, Mode: 0o660, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeFifo, Name: "run/pipe", Mode: 0o600, ModTime: stamp},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/ping", Mode: 0o755, ModTime: stamp, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02", "comment": "x"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Data()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []Entry
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *e)
	}
	want := []Entry{
		{Path: "/", Type: Directory, Mode: 0o755, ModTime: stamp},
		{Path: "/usr/bin/x", Type: File, Mode: 0o4755, UID: 1, GID: 2, User: "daemon", Group: "bin", Size: 3, ModTime: stamp},
		{Path: "/usr/bin/y", Type: HardLink, Mode: 0o644, Target: "/usr/bin/x", ModTime: stamp},
		{Path: "/usr/bin/z", Type: Symlink, Mode: 0o777, Target: "../../../x", ModTime: stamp},
		{Path: "/dev/null", Type: CharDevice, Mode: 0o666, Major: 1, Minor: 3, ModTime: stamp},
		{Path: "/dev/sda", Type: BlockDevice, Mode: 0o660, Major: 8, ModTime: stamp},
		{Path: "/run/pipe", Type: FIFO, Mode: 0o600, ModTime: stamp},
		{Path: "/bin/ping", Type: File, Mode: 0o755, ModTime: stamp, Xattrs: map[string]string{"security.capability": "\x01\x00\x00\x02"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDataRefusesHostileEntries(t *testing.T) {
	long := strings.Repeat("d/", 2100) + "f"
	for _, test := range []struct {
		name   string
		header tar.Header
		want   string
	}{
		{"upwards", file("../etc/passwd", "x"), `path "../etc/passwd" goes upwards`},
		{"upwards in the middle", file("./usr/../../etc/passwd", "x"), "goes upwards"},
		{"upwards at the end", tar.Header{Typeflag: tar.TypeDir, Name: "./usr/.."}, "goes upwards"},
		{"absolute", file("/etc/passwd", "x"), `path "/etc/passwd" is absolute`},
		{"line end", file("./etc/a\nb", "x"), "holds a NUL byte or a line end"},
		{"long path", file(long, "x"), "is longer than 4096 bytes"},
		{"long name", file(strings.Repeat("n", 256), "x"), "has a part longer than 255 bytes"},
		{"root is a file", file("./.", "x"), "the root is a file"},
		{"root is a link", tar.Header{Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/x"}, "the root is a symbolic link"},
		{"hard link upwards", tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "../etc/shadow"}, "/x: hard link: path"},
		{"absolute hard link", tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "/etc/shadow"}, "is absolute"},
		{"hard link to itself", tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "./x"}, "/x: hard link to /x"},
		{"hard link to the root", tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "./"}, "hard link to /"},
		{"hard link to nothing", tar.Header{Typeflag: tar.TypeLink, Name: "x"}, "hard link: an entry has no name"},
		{"symbolic link to nothing", tar.Header{Typeflag: tar.TypeSymlink, Name: "x"}, "cannot be the target"},
		{"symbolic link over lines", tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "a\nb"}, "cannot be the target"},
		{"large device", tar.Header{Typeflag: tar.TypeChar, Name: "x", Devmajor: 4096}, "device 4096:0 is out of range"},
		{"nobody's owner", tar.Header{Typeflag: tar.TypeReg, Name: "x", Uid: 1<<32 - 1, Format: tar.FormatGNU}, "owner 4294967295:0 is out of range"},
		{"negative owner", tar.Header{Typeflag: tar.TypeReg, Name: "x", Gid: -2, Format: tar.FormatGNU}, "is out of range"},
		{"contiguous file", tar.Header{Typeflag: tar.TypeCont, Name: "x"}, "unknown tar type '7'"},
		{"long attribute", tar.Header{Typeflag: tar.TypeReg, Name: "x", Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.user." + strings.Repeat("a", 255): "x"}}, "extended attribute"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readAll(debWith(t, test.header), Limits{})
			if err == nil || !strings.HasPrefix(err.Error(), "read .deb: member data.tar: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestDataStaysWithinLimits(t *testing.T) {
	zeros := make([]byte, ratioFree+1<<20)
	copy(zeros, packTar(t, tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 10}))
	bomb := func(ending string, content []byte) []byte {
		return packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", controlTar(t)},
			part{"data.tar" + ending, pack(t, ending, content)})
	}
	for _, ending := range []string{".gz", ".zst"} {
		b := bomb(ending, zeros)
		if _, err := readAll(b, Limits{Ratio: 1 << 40}); err != nil {
			t.Errorf("%s without limits: %v", ending, err)
		}
		if _, err := readAll(b, Limits{Ratio: 10}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s beyond the ratio: %v", ending, err)
		}
		if _, err := readAll(b, Limits{Ratio: 1 << 40, DataSize: 1 << 20}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s beyond the size: %v", ending, err)
		}
	}
	content := packTar(t, tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: 100_000})
	for _, workers := range []int{1, 2} {
		size := int64(len(content))
		if _, err := readAll(bomb(".xz", content), Limits{DataSize: size, Workers: workers}); err != nil {
			t.Errorf("exactly the limit: %v", err)
		}
		if _, err := readAll(bomb(".xz", content), Limits{DataSize: size - 1, Workers: workers}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one byte more than the limit: %v", err)
		}
	}
}

func TestDataCountsSparseFilesByWhatTheyClaim(t *testing.T) {
	// A PAX 0.1 sparse file of a pebibyte that holds nothing.
	record := func(key, value string) string {
		line := key + "=" + value + "\n"
		n := len(line) + 3
		return fmt.Sprintf("%d %s", n, line)
	}
	records := record("GNU.sparse.size", "1125899906842624") + record("GNU.sparse.numblocks", "1") +
		record("GNU.sparse.map", "1125899906842624,0")
	body := packTar(t, file("pax", records), tar.Header{Typeflag: tar.TypeReg, Name: "sparse"})
	body[156] = tar.TypeXHeader
	sum := 0
	copy(body[148:156], "        ")
	for _, c := range body[:512] {
		sum += int(c)
	}
	copy(body[148:156], fmt.Sprintf("%06o\x00 ", sum))
	b := packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", controlTar(t)}, part{"data.tar", body})
	_, err := readAll(b, Limits{})
	if err == nil || !strings.Contains(err.Error(), "file /sparse: the files are larger than the limit of") {
		t.Errorf("got %v", err)
	}
}

func TestDataNoticesDamageBehindTheLastEntry(t *testing.T) {
	data := packTar(t, tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: 5000})
	for _, ending := range []string{".gz", ".xz", ".zst"} {
		packed := pack(t, ending, data)
		packed = packed[:len(packed)-1]
		b := packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", controlTar(t)}, part{"data.tar" + ending, packed})
		if _, err := readAll(b, Limits{}); err == nil {
			t.Errorf("a missing last byte of %s goes unnoticed", ending)
		}
	}
}

func FuzzDataTar(f *testing.F) {
	f.Add(packTar(f, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, file("./usr/bin/x", "content"),
		tar.Header{Typeflag: tar.TypeChar, Name: "dev/x", Devmajor: 1}))
	control := controlTar(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = readAll(packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", control}, part{"data.tar", data}), Limits{DataSize: 1 << 20})
	})
}

func BenchmarkData(b *testing.B) {
	var headers []tar.Header
	for i := range 2000 {
		headers = append(headers, tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("./usr/share/doc/file-%d", i), Size: 16 << 10})
	}
	packed, err := runXZ(b, packTar(b, headers...), "-1", "--block-size=8MiB", "-c")
	if err != nil {
		b.Fatal(err)
	}
	deb := packAr(part{"debian-binary", []byte("2.0\n")}, part{"control.tar", controlTar(b)}, part{"data.tar.xz", packed})
	b.SetBytes(2000 * 16 << 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readAll(deb, Limits{Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
}
