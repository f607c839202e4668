package verity

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSealAgreesWithTheHash compares with the hash, whose oracle is fsverity(1);
// that the kernel takes the metadata is shown where a disk is mounted.
func TestSealAgreesWithTheHash(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 8192, 65536, 65537, 128 * 4096, 128*4096 + 1, 129 * 4096, 3 << 20, 128*128*4096 + 1} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7)
		}
		seal := NewSeal()
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(10000))
			seal.Write(rest[:n])
			rest = rest[n:]
		}
		digest, metadata := seal.Metadata()
		if want := Sum(data); digest != want {
			t.Errorf("%d bytes: %s, want %s", size, digest, want)
		}
		blocks := 1
		for count := (size + 4095) / 4096; count > 1; count = (count + 127) / 128 {
			blocks += (count + 127) / 128
		}
		if len(metadata) != blocks*4096 || MetadataSize(int64(size)) != int64(len(metadata)) || !bytes.Equal(metadata[len(metadata)-4:], []byte{0, 1, 0, 0}) {
			t.Errorf("%d bytes: %d bytes of metadata, want %d", size, len(metadata), blocks*4096)
		}
	}
	if MetadataOffset(0) != 0 || MetadataOffset(1) != 65536 || MetadataOffset(65536) != 65536 || MetadataOffset(65537) != 131072 {
		t.Error("the metadata is in another place")
	}
}
