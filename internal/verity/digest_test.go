package verity

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sizes are those at which the shape of the Merkle tree changes.
var sizes = []int{0, 1, 4095, 4096, 4097, 8192, 128 * 4096, 128*4096 + 1, 129 * 4096, 128*128*4096 - 1, 128 * 128 * 4096, 128*128*4096 + 1}

func randomBytes(size int) []byte {
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = source.Read(data)
	return data
}

func TestSumAgreesWithFsverityTool(t *testing.T) {
	tool, err := exec.LookPath("fsverity")
	if err != nil {
		t.Fatal("the oracle is missing: apt-get install fsverity")
	}
	for _, size := range sizes {
		data := randomBytes(size)
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "digest", "--compact", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(string(out))
		if have := Sum(data).String(); have != want {
			t.Errorf("%d bytes: have %s, fsverity says %s", size, have, want)
		}
	}
}

func TestSumDoesNotDependOnHowItIsWritten(t *testing.T) {
	data := randomBytes(128*4096 + 5000)
	want := Sum(data)
	for _, chunk := range []int{1, 7, 4095, 4096, 4097, 65536} {
		h := NewHash()
		for rest := bytes.NewBuffer(data); rest.Len() > 0; {
			_, _ = h.Write(rest.Next(chunk))
		}
		if have := h.Sum(); have != want {
			t.Errorf("in chunks of %d: have %s, want %s", chunk, have, want)
		}
	}
}

func TestParseDigestRefusesWhatIsNoDigest(t *testing.T) {
	good := Sum([]byte("x")).String()
	if d, err := ParseDigest(good); err != nil || d.String() != good {
		t.Errorf("%s: %v, %v", good, d, err)
	}
	for _, bad := range []string{"", "abc", strings.ToUpper(good), good + "0", strings.Repeat("g", 64)} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	data := randomBytes(64 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Sum(data)
	}
}
