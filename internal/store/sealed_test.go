package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/verity"
)

// TestContentsAreSealedOnArrival needs a file system with fs-verity under
// TMPDIR; test/start runs it on a machine's own.
func TestContentsAreSealedOnArrival(t *testing.T) {
	s := open(t)
	var names []string
	digests := map[string]verity.Digest{}
	for _, size := range []int{1, 4096, 100_000, bufferSize + 5, 3 * bufferSize} {
		d, _, err := s.Put(bytes.NewReader(bytes.Repeat([]byte{byte(size), 7}, size/2+1)[:size]))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, s.ObjectPath(d))
		digests[s.ObjectPath(d)] = d
	}
	image, err := s.PutImage(func(w io.Writer) error { _, err := w.Write(make([]byte, 8192)); return err })
	if err != nil {
		t.Fatal(err)
	}
	names = append(names, s.ImagePath(image))
	digests[s.ImagePath(image)] = image
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		measured, err := verity.Measure(file)
		if errors.Is(err, verity.ErrUnsupported) || errors.Is(err, unix.ENODATA) && s.sealed.unsupported.Load() {
			t.Skipf("%s is on a file system without fs-verity", name)
		}
		if err != nil || measured != digests[name] {
			t.Errorf("%s: the kernel measures %s, %v", name, measured, err)
		}
		if _, err := os.OpenFile(name, os.O_WRONLY, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s can be opened for writing: %v", name, err)
		}
	}
}
