package debian

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Sizes and marks of "The .xz File Format", version 1.2.1, section 2.
const (
	xzHeaderSize = 12
	xzFooterSize = 12
	xzMaxIndex   = 1 << 20 // bytes; a block takes about six
)

var (
	xzHeaderMagic = []byte("\xfd7zXZ\x00")
	xzFooterMagic = []byte("YZ")
)

// xzBlock is one block of an xz stream as the stream's index describes it.
type xzBlock struct {
	offset   int64 // from the begin of the file
	unpadded int64 // bytes in the file, without padding to a multiple of four
	size     int64 // bytes after decompression
}

// xzLayout is where the blocks of an xz file are.
type xzLayout struct {
	flags  [2]byte // of the stream: which integrity check it has
	blocks []xzBlock
}

// maxSplitBlock is the largest block that is decompressed in one piece. xz -6
// makes blocks of 24 MiB, xz -8 of 96.
const maxSplitBlock = 64 << 20

func (l xzLayout) worthSplitting() bool {
	for _, b := range l.blocks {
		if b.size > maxSplitBlock {
			return false
		}
	}
	return len(l.blocks) > 1
}

// readXZLayout reads the index at the end of an xz file. It says false when the
// file is not exactly one well-formed stream; decoding it from the begin then
// gives its content, or says what is wrong with it.
func readXZLayout(r io.ReaderAt, size int64) (xzLayout, bool) {
	var l xzLayout
	if size < xzHeaderSize+xzFooterSize || size%4 != 0 {
		return l, false
	}
	var header [xzHeaderSize]byte
	var footer [xzFooterSize]byte
	if readFullAt(r, header[:], 0) != nil || readFullAt(r, footer[:], size-xzFooterSize) != nil {
		return l, false
	}
	if !bytes.Equal(header[:6], xzHeaderMagic) || !bytes.Equal(footer[10:], xzFooterMagic) ||
		crc32.ChecksumIEEE(header[6:8]) != binary.LittleEndian.Uint32(header[8:]) ||
		!bytes.Equal(header[6:8], footer[8:10]) ||
		crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer[:4]) {
		return l, false
	}
	l.flags = [2]byte(header[6:8])
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:8])) + 1) * 4
	indexStart := size - xzFooterSize - indexSize
	if indexSize > xzMaxIndex || indexStart < xzHeaderSize {
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
	l.blocks = make([]xzBlock, 0, count)
	offset := int64(xzHeaderSize)
	for range count {
		b := xzBlock{offset: offset}
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

// stream makes one block a whole xz stream of its own, for a decoder that knows
// only streams. The index made for it has the sizes that the file's own index
// claims, so the decoder checks the claim.
func (l xzLayout) stream(r io.ReaderAt, b xzBlock) io.Reader {
	header := append(bytes.Clone(xzHeaderMagic), l.flags[:]...)
	header = binary.LittleEndian.AppendUint32(header, crc32.ChecksumIEEE(l.flags[:]))

	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(b.unpadded))
	index = binary.AppendUvarint(index, uint64(b.size))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))

	backward := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	backward = append(backward, l.flags[:]...)
	footer := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(backward))
	footer = append(append(footer, backward...), xzFooterMagic...)

	return io.MultiReader(
		bytes.NewReader(header),
		io.NewSectionReader(r, b.offset, roundUp4(b.unpadded)),
		bytes.NewReader(append(index, footer...)),
	)
}

// cutVarint reads a multibyte integer of at most 63 bits, section 1.2.
func cutVarint(b []byte) (int64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<63-1 {
		return 0, nil, false
	}
	return int64(v), b[n:], true
}

func roundUp4(n int64) int64 { return (n + 3) &^ 3 }
