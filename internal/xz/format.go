package xz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Sizes and marks of "The .xz File Format", version 1.2.1, section 2.
const (
	headerSize = 12
	footerSize = 12
)

var (
	headerMagic = []byte("\xfd7zXZ\x00")
	footerMagic = []byte("YZ")
)

// checkKind says by what a stream's blocks are checked, section 2.1.1.2.
type checkKind byte

const (
	checkNone   checkKind = 0
	checkCRC32  checkKind = 1
	checkCRC64  checkKind = 4
	checkSHA256 checkKind = 10
)

// newHash gives the hash of the check, nil for none. CRCs stand in the file with
// their lowest byte first; sum takes care of that.
func (k checkKind) newHash() hash.Hash {
	switch k {
	case checkCRC32:
		return crc32.NewIEEE()
	case checkCRC64:
		return new(crc64Hash)
	case checkSHA256:
		return sha256.New()
	default:
		return nil
	}
}

// sum is the check of what h was given as it stands in the file.
func (k checkKind) sum(h hash.Hash) []byte {
	switch h := h.(type) {
	case hash.Hash32:
		return binary.LittleEndian.AppendUint32(nil, h.Sum32())
	case hash.Hash64:
		return binary.LittleEndian.AppendUint64(nil, h.Sum64())
	case nil:
		return nil
	default:
		return h.Sum(nil)
	}
}

// parseStreamHeader reads section 2.1.1.
func parseStreamHeader(b *[headerSize]byte) (checkKind, error) {
	if !bytes.Equal(b[:6], headerMagic) {
		return 0, errors.New("xz: this is no xz stream: its first bytes are others")
	}
	if crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, errors.New("xz: the stream header is damaged: its checksum is wrong")
	}
	if b[6] != 0 || b[7]&0xf0 != 0 {
		return 0, fmt.Errorf("xz: the stream header has flags %x that no version of the format known here has", b[6:8])
	}
	switch kind := checkKind(b[7]); kind {
	case checkNone, checkCRC32, checkCRC64, checkSHA256:
		return kind, nil
	default:
		return 0, fmt.Errorf("xz: integrity check %d is not supported; none, CRC32, CRC64 and SHA-256 are", kind)
	}
}

// parseStreamFooter reads section 2.1.2 and gives the size of the index.
func parseStreamFooter(b *[footerSize]byte, kind checkKind) (int64, error) {
	switch {
	case !bytes.Equal(b[10:], footerMagic):
		return 0, errors.New("xz: the stream does not end with a footer")
	case crc32.ChecksumIEEE(b[4:10]) != binary.LittleEndian.Uint32(b[:4]):
		return 0, errors.New("xz: the stream footer is damaged: its checksum is wrong")
	case b[8] != 0 || b[9] != byte(kind):
		return 0, errors.New("xz: header and footer of the stream have different flags")
	}
	return (int64(binary.LittleEndian.Uint32(b[4:8])) + 1) * 4, nil
}

// blockHeader is what section 3.1 tells of a block.
type blockHeader struct {
	compressed int64 // bytes of LZMA2; -1 if it is not told
	size       int64 // bytes after decompression; -1 if it is not told
	dictionary uint64
}

// filterNames are the filters of section 5.3 and of the registry of ids.
var filterNames = map[int64]string{
	0x03: "Delta", 0x04: "BCJ x86", 0x05: "BCJ PowerPC", 0x06: "BCJ IA-64", 0x07: "BCJ ARM",
	0x08: "BCJ ARM-Thumb", 0x09: "BCJ SPARC", 0x0a: "BCJ ARM64", 0x0b: "BCJ RISC-V",
}

const filterLZMA2 = 0x21

// parseBlockHeader reads a whole block header, its first byte and its checksum
// included.
func parseBlockHeader(b []byte) (blockHeader, error) {
	h := blockHeader{compressed: -1, size: -1}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return h, errors.New("xz: a block header is damaged: its checksum is wrong")
	}
	damaged := errors.New("xz: a block header is too short for what it lists")
	flags, rest := body[1], body[2:]
	if flags&0x3c != 0 {
		return h, fmt.Errorf("xz: a block header has flags %#x that no version of the format known here has", flags)
	}
	var ok bool
	if flags&0x40 != 0 {
		if h.compressed, rest, ok = cutVarint(rest); !ok || h.compressed == 0 {
			return h, damaged
		}
	}
	if flags&0x80 != 0 {
		if h.size, rest, ok = cutVarint(rest); !ok {
			return h, damaged
		}
	}
	last := int(flags & 3)
	for i := range last + 1 {
		var id, count int64
		if id, rest, ok = cutVarint(rest); !ok {
			return h, damaged
		}
		if count, rest, ok = cutVarint(rest); !ok || count > int64(len(rest)) {
			return h, damaged
		}
		properties := rest[:count]
		rest = rest[count:]
		if id != filterLZMA2 {
			name := "unknown"
			if known := filterNames[id]; known != "" {
				name = known
			}
			return h, fmt.Errorf("xz: filter %#x (%s) is not supported; only LZMA2 is", id, name)
		}
		if i != last || i > 0 {
			return h, errors.New("xz: LZMA2 must be the only filter of a block")
		}
		if len(properties) != 1 || properties[0] > 40 {
			return h, fmt.Errorf("xz: LZMA2 has properties %x; one byte up to 40 is right", properties)
		}
		bits := uint64(properties[0])
		h.dictionary = (2 | bits&1) << (bits/2 + 11)
		if h.dictionary > MaxDictionary {
			return h, fmt.Errorf("xz: the dictionary has %d bytes; at most %d are allowed", h.dictionary, MaxDictionary)
		}
	}
	for _, b := range rest {
		if b != 0 {
			return h, errors.New("xz: a block header has something behind its filters")
		}
	}
	return h, nil
}

// cutVarint reads a multibyte integer of at most 63 bits, section 1.2, in its
// shortest form.
func cutVarint(b []byte) (int64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 9 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return int64(v), b[n:], true
}

func roundUp4(n int64) int64 { return (n + 3) &^ 3 }

// source counts what is read, and has no end in the middle of something.
type source struct {
	r io.Reader
	n int64
}

func (s *source) full(p []byte) error {
	n, err := io.ReadFull(s.r, p)
	s.n += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCutOff
	}
	return err
}

var errCutOff = fmt.Errorf("xz: the file is cut off: %w", io.ErrUnexpectedEOF)

// zeros reads n bytes of padding.
func (s *source) zeros(n int64, what string) error {
	var pad [4]byte
	if err := s.full(pad[:n]); err != nil {
		return err
	}
	if pad != [4]byte{} {
		return fmt.Errorf("xz: the padding behind %s is not zero", what)
	}
	return nil
}
