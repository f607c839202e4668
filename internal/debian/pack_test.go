package debian

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/ulikunitz/xz"
)

// text is compressible, deterministic and of any length.
func text(n int) []byte {
	b := make([]byte, 0, n+64)
	for i := uint32(1); len(b) < n; i++ {
		b = fmt.Appendf(b, "%d %x the quick brown fox\n", i, i*2654435761>>20)
	}
	return b[:n]
}

// packXZ compresses with an encoder in Go, so that fuzzing needs no program.
func packXZ(t testing.TB, content []byte, blockSize int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: blockSize, DictCap: 1 << 16}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func runXZ(t testing.TB, input []byte, arguments ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("xz", arguments...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out, err
}
