package xz

import (
	"hash/crc64"
	"testing"
)

func TestCRC64IsThatOfTheStandardLibrary(t *testing.T) {
	content := text(1000)
	for from := range 20 {
		for to := from; to <= len(content); to++ {
			var have crc64Hash
			have.Write(content[:from])
			have.Write(content[from:to])
			if want := crc64.Checksum(content[:to], crc64Table); have.Sum64() != want {
				t.Fatalf("of %d and %d bytes: have %x, want %x", from, to-from, have.Sum64(), want)
			}
		}
	}
}
