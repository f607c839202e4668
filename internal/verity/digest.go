package verity

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

const (
	blockSize      = 4096
	descriptorSize = 256
)

// Digest is the fs-verity SHA-256 digest of a file. The zero Digest names
// nothing: empty files and entries that are no files have it.
type Digest [sha256.Size]byte

// String gives the digest as 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// Compare orders digests as their texts are ordered.
func (d Digest) Compare(other Digest) int { return bytes.Compare(d[:], other[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	*d = parsed
	return err
}

// ParseDigest reads 64 lower-case hexadecimal digits.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	if len(text) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("fs-verity digest %q: want %d hexadecimal digits, have %d characters", text, hex.EncodedLen(len(d)), len(text))
	}
	for i := range d {
		high, low := digitValue(text[2*i]), digitValue(text[2*i+1])
		if high|low > 0xf {
			return Digest{}, fmt.Errorf("fs-verity digest %q: it has more than lower-case hexadecimal digits", text)
		}
		d[i] = high<<4 | low
	}
	return d, nil
}

// digitValue gives what a lower-case hexadecimal digit stands for; of anything else
// it is more than 15. A tree has one digest for each of its files.
func digitValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// Sum gives the digest of data.
func Sum(data []byte) Digest {
	h := NewHash()
	_, _ = h.Write(data) // a Hash never fails
	return h.Sum()
}

// Hash computes a file's digest while its bytes stream through. It keeps one
// block of every level of the Merkle tree, so memory is constant.
type Hash struct {
	size   uint64
	levels [][]byte // levels[0] is data; levels[n+1] is the hashes of levels[n]
}

// NewHash starts the digest of one file.
func NewHash() *Hash {
	return &Hash{levels: [][]byte{make([]byte, 0, blockSize)}}
}

// Write adds the next bytes of the file. It never fails.
func (h *Hash) Write(p []byte) (int, error) {
	written := len(p)
	h.size += uint64(written)
	for len(p) > 0 {
		// A full block is hashed only when more follows: the last block
		// of a level decides whether there is a level above it.
		if len(h.levels[0]) == blockSize {
			h.flush(0)
		}
		if len(h.levels[0]) == 0 && len(p) > blockSize {
			h.push(1, sha256.Sum256(p[:blockSize]))
			p = p[blockSize:]
			continue
		}
		n := min(blockSize-len(h.levels[0]), len(p))
		h.levels[0] = append(h.levels[0], p[:n]...)
		p = p[n:]
	}
	return written, nil
}

// flush hashes the pending block of a level, padded with zeros, into the next.
func (h *Hash) flush(level int) {
	block := h.levels[level]
	sum := sumPadded(block)
	h.levels[level] = block[:0]
	h.push(level+1, sum)
}

func (h *Hash) push(level int, sum [sha256.Size]byte) {
	if level == len(h.levels) {
		h.levels = append(h.levels, make([]byte, 0, blockSize))
	}
	if len(h.levels[level]) == blockSize {
		h.flush(level)
	}
	h.levels[level] = append(h.levels[level], sum[:]...)
}

func sumPadded(block []byte) [sha256.Size]byte {
	if len(block) == blockSize {
		return sha256.Sum256(block)
	}
	var padded [blockSize]byte
	copy(padded[:], block)
	return sha256.Sum256(padded[:])
}

// Sum ends the file and gives its digest. The Hash is spent afterwards.
func (h *Hash) Sum() Digest {
	var root [sha256.Size]byte
	if h.size > 0 {
		for level := 0; ; level++ {
			if level == len(h.levels)-1 && (level == 0 || len(h.levels[level]) > sha256.Size) {
				root = sumPadded(h.levels[level])
				break
			}
			if level == len(h.levels)-1 {
				copy(root[:], h.levels[level]) // a single hash is the root itself
				break
			}
			h.flush(level)
		}
	}
	return sha256.Sum256(descriptor(h.size, root))
}

// Size is the number of bytes written so far.
func (h *Hash) Size() int64 { return int64(h.size) }

// descriptor is struct fsverity_descriptor of the kernel.
func descriptor(size uint64, root [sha256.Size]byte) []byte {
	d := make([]byte, descriptorSize)
	d[0] = 1  // version
	d[1] = 1  // FS_VERITY_HASH_ALG_SHA256
	d[2] = 12 // log2 of the block size
	binary.LittleEndian.PutUint64(d[8:], size)
	copy(d[16:], root[:])
	return d
}
