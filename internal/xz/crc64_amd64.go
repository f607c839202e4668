//go:build !purego

package xz

import (
	"encoding/binary"
	"hash/crc64"

	"golang.org/x/sys/cpu"
)

// foldUnit is how many bytes are folded at a time.
const foldUnit = 16

// updateCRC64 is [crc64.Update], by products without carries: the bytes are a polynomial,
// of which all but the last 16 bytes can be brought down to these (V. Gopal et al., "Fast
// CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction").
func updateCRC64(crc uint64, p []byte) uint64 {
	if whole := len(p) &^ (foldUnit - 1); whole > foldUnit && cpu.X86.HasPCLMULQDQ {
		var rest [foldUnit]byte
		first, second := fold(^crc, p[:whole], &foldKeys)
		binary.LittleEndian.PutUint64(rest[:], first)
		binary.LittleEndian.PutUint64(rest[8:], second)
		crc = crc64.Update(^uint64(0), crc64Table, rest[:])
		p = p[whole:]
	}
	return crc64.Update(crc, crc64Table, p)
}

// foldKeys bring a unit down by one: its first half by 192 bits and its second by 128,
// less the one by which a product of numbers with the lowest bit last is off.
var foldKeys = [2]uint64{powerOfX(191), powerOfX(127)}

// powerOfX is x to the n, modulo the polynomial, with the lowest bit last.
func powerOfX(n int) uint64 {
	p := uint64(1) << 63
	for range n {
		low := p & 1
		p = p>>1 ^ low*crc64.ECMA
	}
	return p
}

// fold gives 16 bytes that have the same remainder as those of p, which are a multiple of
// 16, after a remainder of crc; crc64_amd64.s has it.
//
//go:noescape
func fold(crc uint64, p []byte, keys *[2]uint64) (first, second uint64)
