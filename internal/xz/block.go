package xz

import (
	"bytes"
	"errors"
	"hash"
	"io"
	"math"
)

// block reads one block, section 3, from its header to its check.
type block struct {
	src     *source
	kind    checkKind
	hash    hash.Hash // nil for no check
	header  blockHeader
	begin   int64 // of the header, in src
	data    int64 // of what is compressed, in src
	size    int64 // bytes given so far
	decoder *decoder
	record  record // what the index must say of the block, after its end
}

// newBlock reads a block header. Its first byte, the size, was read before.
func newBlock(src *source, sizeByte byte, kind checkKind) (*block, error) {
	b := &block{src: src, kind: kind, hash: kind.newHash(), begin: src.n - 1}
	header := make([]byte, (int(sizeByte)+1)*4)
	header[0] = sizeByte
	err := src.full(header[1:])
	if err != nil {
		return nil, err
	}
	if b.header, err = parseBlockHeader(header); err != nil {
		return nil, err
	}
	b.data = src.n
	b.decoder = newDecoder(b.header.dictionary)
	if b.header.size > 0 {
		b.decoder.reserve(uint64(b.header.size))
	}
	return b, nil
}

// next gives some more content, which stays until the next call, and io.EOF
// after all of it when the sizes and the check are right.
func (b *block) next() ([]byte, error) {
	most := uint64(math.MaxInt64 - b.size)
	if b.header.size >= 0 {
		most = uint64(b.header.size - b.size)
	}
	p, err := b.decoder.next(b.src, most)
	if err == io.EOF {
		err = b.end()
	}
	b.size += int64(len(p))
	if b.hash != nil {
		b.hash.Write(p)
	}
	return p, err
}

func (b *block) end() error {
	compressed := b.src.n - b.data
	if b.header.compressed >= 0 && b.header.compressed != compressed || b.header.size >= 0 && b.header.size != b.size {
		return errors.New("xz: a block has another size than its header says")
	}
	want := b.kind.sum(b.hash)
	b.record = record{unpadded: b.src.n - b.begin + int64(len(want)), size: b.size}
	if err := b.src.zeros(-compressed&3, "a block"); err != nil {
		return err
	}
	have := make([]byte, len(want))
	if err := b.src.full(have); err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return errors.New("xz: the content of a block is damaged: its check is wrong")
	}
	return io.EOF
}

// close gives the decoder to others.
func (b *block) close() { b.decoder.release() }
