package xz

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const maxIndex = 1 << 20 // bytes; a block takes about six

// indexed is one block of an xz stream as the stream's index describes it.
type indexed struct {
	offset int64 // from the begin of the file
	record
}

// layout is where the blocks of an xz file are.
type layout struct {
	kind   checkKind
	blocks []indexed
}

// maxSplitBlock is the largest block that is decompressed in one piece. xz -6
// makes blocks of 24 MiB, xz -8 of 96.
const maxSplitBlock = 64 << 20

func (l layout) worthSplitting() bool {
	for _, b := range l.blocks {
		if b.size > maxSplitBlock {
			return false
		}
	}
	return len(l.blocks) > 1
}

// readLayout reads the index at the end of an xz file. It says false when the
// file is not exactly one well-formed stream; decoding it from the begin then
// gives its content, or says what is wrong with it.
func readLayout(r io.ReaderAt, size int64) (layout, bool) {
	var l layout
	if size < headerSize+footerSize || size%4 != 0 {
		return l, false
	}
	var header [headerSize]byte
	var footer [footerSize]byte
	if readFullAt(r, header[:], 0) != nil || readFullAt(r, footer[:], size-footerSize) != nil {
		return l, false
	}
	kind, err := parseStreamHeader(&header)
	if err != nil {
		return l, false
	}
	indexSize, err := parseStreamFooter(&footer, kind)
	if err != nil {
		return l, false
	}
	l.kind = kind
	indexStart := size - footerSize - indexSize
	if indexSize > maxIndex || indexStart < headerSize {
		return l, false
	}
	index := make([]byte, indexSize)
	if readFullAt(r, index, indexStart) != nil {
		return l, false
	}
	body, sum := index[:indexSize-4], index[indexSize-4:]
	if body[0] != 0 || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return l, false
	}
	rest := body[1:]
	count, rest, ok := cutVarint(rest)
	// Every record takes two bytes at least.
	if !ok || count > int64(len(rest)/2) {
		return l, false
	}
	l.blocks = make([]indexed, 0, count)
	offset := int64(headerSize)
	for range count {
		b := indexed{offset: offset}
		if b.unpadded, rest, ok = cutVarint(rest); !ok || b.unpadded == 0 || b.unpadded > indexStart-offset {
			return l, false
		}
		if b.size, rest, ok = cutVarint(rest); !ok {
			return l, false
		}
		l.blocks = append(l.blocks, b)
		offset += roundUp4(b.unpadded)
	}
	// Blocks and index must fill the file, or there are more streams before.
	return l, offset == indexStart
}

// readFullAt reads all of p.
func readFullAt(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
