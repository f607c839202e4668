package xz

import "hash/crc64"

var crc64Table = crc64.MakeTable(crc64.ECMA)

// crc64Hash is the CRC64 of the format (section 6), a [hash.Hash64].
type crc64Hash uint64

func (h *crc64Hash) Write(p []byte) (int, error) {
	*h = crc64Hash(updateCRC64(uint64(*h), p))
	return len(p), nil
}

func (h *crc64Hash) Sum64() uint64       { return uint64(*h) }
func (h *crc64Hash) Sum(b []byte) []byte { return append(b, checkCRC64.sum(h)...) }
func (h *crc64Hash) Reset()              { *h = 0 }
func (h *crc64Hash) Size() int           { return crc64.Size }
func (h *crc64Hash) BlockSize() int      { return 1 }
