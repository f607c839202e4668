package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An entry is what the tests read back from an archive.
type entry struct {
	Name, Content      string
	Inode, Mode, Links uint64
}

// readArchive reads newc as the kernel does: strictly, up to the trailer.
func readArchive(archive []byte) (entries []entry, rest []byte, err error) {
	at := 0
	take := func(n int) ([]byte, error) {
		if n < 0 || at+n > len(archive) {
			return nil, errors.New("the archive ends early")
		}
		at += n
		return archive[at-n : at], nil
	}
	for {
		header, err := take(110)
		if err != nil {
			return nil, nil, err
		}
		if string(header[:6]) != "070701" {
			return nil, nil, fmt.Errorf("magic %q", header[:6])
		}
		var fields [13]uint64
		for i := range fields {
			if fields[i], err = strconv.ParseUint(string(header[6+8*i:14+8*i]), 16, 32); err != nil {
				return nil, nil, err
			}
		}
		name, err := take(int(fields[11]))
		if err != nil {
			return nil, nil, err
		}
		at = (at + 3) &^ 3
		if string(name) == "TRAILER!!!\x00" {
			return entries, archive[at:], nil
		}
		content, err := take(int(fields[6]))
		if err != nil {
			return nil, nil, err
		}
		at = (at + 3) &^ 3
		entries = append(entries, entry{strings.TrimSuffix(string(name), "\x00"), string(content), fields[0], fields[1], fields[4]})
		if fields[2]|fields[3]|fields[5] != 0 {
			return nil, nil, fmt.Errorf("%s: owner or time stamp is not zero", name)
		}
	}
}

func TestArchiveReadsBackAsWritten(t *testing.T) {
	var archive bytes.Buffer
	w := NewWriter(&archive)
	for _, err := range []error{
		w.Directory("run", 0o755),
		w.Directory("/run/systemd/", 0o700),
		w.File("run/systemd/empty", 0o644, nil),
		w.File("run/one", 0o4755, []byte("1")),
		w.File("init", 0o755, []byte("four")),
		w.Symlink("run/link", "../init"),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if archive.Len()%blockSize != 0 {
		t.Errorf("length %d is no multiple of %d: no archive can follow", archive.Len(), blockSize)
	}
	got, rest, err := readArchive(archive.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"run", "", 1, 0o40755, 2},
		{"run/systemd", "", 2, 0o40700, 2},
		{"run/systemd/empty", "", 3, 0o100644, 1},
		{"run/one", "1", 4, 0o104755, 1},
		{"init", "four", 5, 0o100755, 1},
		{"run/link", "../init", 6, 0o120777, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(bytes.Trim(rest, "\x00")) != 0 {
		t.Errorf("after the trailer: %q", rest)
	}
}

func TestCpioReadsTheArchive(t *testing.T) {
	var archive bytes.Buffer
	w := NewWriter(&archive)
	w.Directory("modules", 0o755)
	w.File("modules/order", 0o644, []byte("a.ko\n"))
	w.Symlink("link", "modules/order")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	list := exec.Command("cpio", "--list", "--verbose", "--numeric-uid-gid", "--quiet")
	list.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	list.Stdin = &archive
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio (package cpio): %v: %s", err, out)
	}
	want := `drwxr-xr-x   2 0        0               0 Jan  1  1970 modules
-rw-r--r--   1 0        0               5 Jan  1  1970 modules/order
lrwxrwxrwx   1 0        0              13 Jan  1  1970 link -> modules/order
`
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesThatTheKernelCouldNotMakeAreRefused(t *testing.T) {
	for _, name := range []string{"", "/", ".", "missing/directory", "nul\x00byte", ".."} {
		w := NewWriter(&bytes.Buffer{})
		if err := w.File(name, 0o644, nil); err == nil {
			t.Errorf("%q was written", name)
		}
	}
}

func TestNameClimbingOutStaysInside(t *testing.T) {
	var archive bytes.Buffer
	w := NewWriter(&archive)
	if err := w.File("../../init", 0o755, nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, _, err := readArchive(archive.Bytes())
	if err != nil || len(got) != 1 || got[0].Name != "init" {
		t.Errorf("%v, %v", got, err)
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestAFullDiskIsReported(t *testing.T) {
	for room := 0; room < 512; room += 7 {
		w := NewWriter(&fullDisk{room})
		w.Directory("modules", 0o755)
		w.File("modules/order", 0o644, []byte("a.ko\n"))
		if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no space") {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}
