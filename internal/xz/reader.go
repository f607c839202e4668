package xz

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// readSize is how many bytes are read from a file at a time.
const readSize = 128 << 10

// Reader decompresses an .xz file from its begin, as one stream of bytes.
type Reader struct {
	src    source
	kind   checkKind
	inside bool   // of a stream: its header was read
	any    bool   // stream header was read before
	block  *block // the current one
	index  indexSum
	rest   []byte // of what was decompressed last
	err    error
}

// record is what an index says of a block, section 4.3.
type record struct {
	unpadded int64 // bytes in the file, without padding to a multiple of four
	size     int64 // bytes after decompression
}

// indexSum is a list of records in constant memory.
type indexSum struct {
	hash  hash.Hash
	count int64
}

func (s *indexSum) add(r record) {
	if s.hash == nil {
		s.hash = sha256.New()
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(r.unpadded))
	binary.LittleEndian.PutUint64(b[8:], uint64(r.size))
	s.hash.Write(b[:])
	s.count++
}

func (s *indexSum) equal(t *indexSum) bool {
	return s.count == t.count && (s.count == 0 || string(s.hash.Sum(nil)) == string(t.hash.Sum(nil)))
}

// NewReader reads the .xz file in r. Reading ends with io.EOF only when all of
// its streams are complete and right.
func NewReader(r io.Reader) *Reader {
	return &Reader{src: source{r: bufio.NewReaderSize(r, readSize)}}
}

// Open decompresses the .xz file of size bytes in r: several blocks at a time
// when it has them and workers allows, otherwise as one stream. The caller must
// close the reader.
func Open(r io.ReaderAt, size int64, workers int) io.ReadCloser {
	if workers > 1 {
		if l, ok := readLayout(r, size); ok && l.worthSplitting() {
			return newBlockReader(r, l, workers)
		}
	}
	return NewReader(io.NewSectionReader(r, 0, size))
}

// Read decompresses.
func (x *Reader) Read(p []byte) (int, error) {
	for len(x.rest) == 0 && x.err == nil {
		if x.rest, x.err = x.next(); x.err != nil {
			x.free()
		}
	}
	if len(x.rest) == 0 {
		return 0, x.err
	}
	n := copy(p, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// Close gives what the reader holds to others. After an error, io.EOF included,
// it holds nothing.
func (x *Reader) Close() error {
	if x.err == nil {
		x.err = errClosed
	}
	x.free()
	return nil
}

var (
	errClosed     = errors.New("read of a closed xz stream")
	errIndexSizes = errors.New("xz: the index has other sizes than the blocks")
)

func (x *Reader) free() {
	x.rest = nil
	if x.block != nil {
		x.block.close()
		x.block = nil
	}
}

// next gives some more content, or nothing after a step without any.
func (x *Reader) next() ([]byte, error) {
	switch {
	case x.block != nil:
		p, err := x.block.next()
		if err == io.EOF {
			x.index.add(x.block.record)
			x.free()
			err = nil
		}
		return p, err
	case x.inside:
		return nil, x.beginBlock()
	default:
		return nil, x.beginStream()
	}
}

// beginStream reads stream padding and a stream header, or the end of the file.
func (x *Reader) beginStream() error {
	var header [headerSize]byte
	if _, err := io.ReadFull(x.src.r, header[:1]); err == io.EOF && !x.any {
		return errCutOff
	} else if err != nil {
		return err
	}
	x.src.n++
	if x.any && header[0] == 0 {
		return x.src.zeros(3, "a stream")
	}
	if err := x.src.full(header[1:]); err != nil {
		return err
	}
	x.index = indexSum{}
	x.any, x.inside = true, true
	var err error
	x.kind, err = parseStreamHeader(&header)
	return err
}

// beginBlock reads a block header, or index and footer in its place.
func (x *Reader) beginBlock() error {
	var first [1]byte
	if err := x.src.full(first[:]); err != nil {
		return err
	}
	if first[0] == 0 {
		return x.endStream()
	}
	var err error
	x.block, err = newBlock(&x.src, first[0], x.kind)
	return err
}

// endStream reads index and footer, sections 4 and 2.1.2. The index must have
// the blocks that were read.
func (x *Reader) endStream() error {
	begin := x.src.n - 1
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	number := func() (int64, error) {
		var b [9]byte
		for i := range b {
			if err := x.src.full(b[i : i+1]); err != nil {
				return 0, err
			}
			if b[i] < 0x80 {
				sum.Write(b[:i+1])
				if v, _, ok := cutVarint(b[:i+1]); ok {
					return v, nil
				}
				break
			}
		}
		return 0, errors.New("xz: the index holds a number that is none")
	}
	count, err := number()
	if err != nil {
		return err
	}
	if count != x.index.count {
		return fmt.Errorf("xz: the index has %d blocks, the stream %d", count, x.index.count)
	}
	var told indexSum
	for range count {
		var r record
		if r.unpadded, err = number(); err != nil {
			return err
		}
		if r.size, err = number(); err != nil {
			return err
		}
		told.add(r)
	}
	if !told.equal(&x.index) {
		return errIndexSizes
	}
	padding := -(x.src.n - begin) & 3
	if err := x.src.zeros(padding, "an index"); err != nil {
		return err
	}
	sum.Write(make([]byte, padding))
	var check [4]byte
	if err := x.src.full(check[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(check[:]) != sum.Sum32() {
		return errors.New("xz: the index is damaged: its checksum is wrong")
	}
	size := x.src.n - begin
	var footer [footerSize]byte
	if err := x.src.full(footer[:]); err != nil {
		return err
	}
	backward, err := parseStreamFooter(&footer, x.kind)
	if err != nil {
		return err
	}
	if backward != size {
		return errors.New("xz: the footer gives the index another size than it has")
	}
	x.inside = false
	return nil
}
