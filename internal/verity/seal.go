package verity

import (
	"crypto/sha256"
	"encoding/binary"
)

// sealAlignment is what the metadata of a sealed file begins at a multiple of,
// on ext4 (fs/ext4/verity.c).
const sealAlignment = 64 << 10

// MetadataOffset is where ext4 keeps the metadata of a sealed file of size bytes,
// counted from the file's beginning.
func MetadataOffset(size int64) int64 {
	return (size + sealAlignment - 1) / sealAlignment * sealAlignment
}

// MetadataSize is how much that is, in bytes: the levels of the Merkle tree, and the
// descriptor.
func MetadataSize(size int64) int64 {
	const hashes = blockSize / sha256.Size // that a block has
	blocks := int64(1)
	for level := (size + blockSize - 1) / blockSize; level > 1; {
		level = (level + hashes - 1) / hashes
		blocks += level
	}
	return blocks * blockSize
}

// Seal computes what ext4 keeps behind the content of a sealed file, while the
// content streams through. Memory is 1/128 of the content.
type Seal struct {
	size   uint64
	block  []byte // the last one, not hashed yet
	hashes []byte // of the blocks before
}

// NewSeal starts the seal of one file.
func NewSeal() *Seal { return &Seal{block: make([]byte, 0, blockSize)} }

// Write adds the next bytes of the file. It never fails.
func (s *Seal) Write(p []byte) (int, error) {
	written := len(p)
	s.size += uint64(written)
	for len(p) > 0 {
		if len(s.block) == blockSize {
			s.flush()
		}
		n := min(blockSize-len(s.block), len(p))
		s.block = append(s.block, p[:n]...)
		p = p[n:]
	}
	return written, nil
}

func (s *Seal) flush() {
	sum := sumPadded(s.block)
	s.hashes = append(s.hashes, sum[:]...)
	s.block = s.block[:0]
}

// Metadata ends the file and gives its digest, and what lies behind its content:
// the levels of the Merkle tree, the top first, and a block with the descriptor
// and, at its end, the descriptor's size.
func (s *Seal) Metadata() (Digest, []byte) {
	var root [sha256.Size]byte
	var levels [][]byte
	if s.size > 0 {
		s.flush()
		level := s.hashes
		for len(level) > sha256.Size {
			levels = append(levels, level)
			var above []byte
			for begin := 0; begin < len(level); begin += blockSize {
				sum := sumPadded(level[begin:min(begin+blockSize, len(level))])
				above = append(above, sum[:]...)
			}
			level = above
		}
		copy(root[:], level)
	}
	var metadata []byte
	for i := len(levels) - 1; i >= 0; i-- {
		metadata = append(metadata, levels[i]...)
		metadata = append(metadata, make([]byte, -len(metadata)&(blockSize-1))...)
	}
	d := descriptor(s.size, root)
	last := make([]byte, blockSize)
	copy(last, d)
	binary.LittleEndian.PutUint32(last[blockSize-4:], descriptorSize)
	return sha256.Sum256(d), append(metadata, last...)
}
