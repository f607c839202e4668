package xz

import "math/bits"

// Trees of bits. A node n of a tree has the probability tree[n] and the children
// 2n and 2n+1; the root is 1, and the number of the leaf is the symbol behind a
// leading 1. The probabilities of both children are loaded while a bit is still
// being decoded, and the bit picks one of them: waiting for the load of the right
// one would take longer than all the rest. next is the first child, in the bits
// that it can have, so that indexes need no check.
//
// Loops are unrolled, and the functions must not be inlined: they are written
// for as many variables as there are registers.

// normalize reads a byte when the range has become narrow.
func normalize(in *input, rng, code, pos uint64) (uint64, uint64, uint64) {
	if rng < topValue {
		return rng << 8, code<<8 | uint64(in[pos&(inputSize-1)]), pos + 1
	}
	return rng, code, pos
}

// bit reads one bit of probability p. It gives the new range and code, the
// adapted probability, and the bit as a mask: all ones for a 0, zero for a 1. It
// does not branch on the bit: that is as good as random in a tree, and a wrong
// guess of the processor costs more than the few operations.
func bit(rng, code, p uint64) (uint64, uint64, uint64, uint64) {
	bound := rng >> probBits * p
	rest := code - bound
	zero := uint64(int64(rest) >> 63)
	q := p - uint64(int64(p+zero&adaptUp)>>moveBits)
	rng -= bound
	return rng + zero&(bound-rng), rest + zero&bound, q, zero
}

// readLiteral reads the eight bits of a literal.
//
//go:noinline
func readLiteral(in *input, tree *literalProbs, rng, code, pos uint64) (uint64, uint64, uint64, uint64) {
	var q, zero uint64
	_ = in[0]
	p, lo, hi := uint64(tree[1]), uint64(tree[2]), uint64(tree[3])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[1] = uint16(q)
	p = hi + zero&(lo-hi)
	next := (6 + zero<<1) & 6
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 14
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 30
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 62
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 126
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 254
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 510
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	return rng, code, pos, next + 1 + zero
}

// readTree3 reads the three bits of a short length.
//
//go:noinline
func readTree3(in *input, tree *[8]uint16, rng, code, pos uint64) (uint64, uint64, uint64, uint64) {
	var q, zero uint64
	_ = in[0]
	p, lo, hi := uint64(tree[1]), uint64(tree[2]), uint64(tree[3])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[1] = uint16(q)
	p = hi + zero&(lo-hi)
	next := (6 + zero<<1) & 6
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 14
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	return rng, code, pos, next + 1 + zero
}

// readTree6 reads the six bits of a distance slot.
//
//go:noinline
func readTree6(in *input, tree *[64]uint16, rng, code, pos uint64) (uint64, uint64, uint64, uint64) {
	var q, zero uint64
	_ = in[0]
	p, lo, hi := uint64(tree[1]), uint64(tree[2]), uint64(tree[3])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[1] = uint16(q)
	p = hi + zero&(lo-hi)
	next := (6 + zero<<1) & 6
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 14
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 30
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 62
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 126
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	return rng, code, pos, next + 1 + zero
}

// readTree8 reads the eight bits of a long length.
//
//go:noinline
func readTree8(in *input, tree *[256]uint16, rng, code, pos uint64) (uint64, uint64, uint64, uint64) {
	var q, zero uint64
	_ = in[0]
	p, lo, hi := uint64(tree[1]), uint64(tree[2]), uint64(tree[3])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[1] = uint16(q)
	p = hi + zero&(lo-hi)
	next := (6 + zero<<1) & 6
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 14
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 30
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 62
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 126
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 254
	lo, hi = uint64(tree[next]), uint64(tree[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 510
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	tree[next>>1] = uint16(q)
	return rng, code, pos, next + 1 + zero
}

// readMatched reads a literal by the help of the byte that a match would give:
// while the bits are the same, offset is 0x100 and the tree is one of two that
// the next bit of match chooses. Then it is 0, and the tree that of literals.
//
//go:noinline
func readMatched(in *input, lit *literalProbs, rng, code, pos, match uint64) (uint64, uint64, uint64, uint64) {
	var q, zero uint64
	_ = in[0]
	offset, sym := uint64(0x100), uint64(1)
	match <<= 1
	p := uint64(lit[0x100+match&0x100+1])
	index := 0x101 + match&0x100
	same := offset &^ match
	lo := uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi := uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	same = offset &^ match
	lo = uint64(lit[same+match<<1&same+2*sym])
	same = offset & match
	hi = uint64(lit[same+match<<1&same+2*sym+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	p = hi + zero&(lo-hi)
	offset &= match ^ zero
	match <<= 1
	index = offset + match&offset + sym
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	lit[index] = uint16(q)
	sym += sym + 1 + zero
	return rng, code, pos, sym
}

// readReverse reads the low bits of a short distance, the lowest first.
//
//go:noinline
func readReverse(in *input, probs *[128]uint16, rng, code, pos, base, bits uint64) (uint64, uint64, uint64, uint64) {
	m, v := uint64(1), uint64(0)
	for i := uint64(0); i < bits; i++ {
		prob := &probs[(base+m)&127]
		var q, zero uint64
		rng, code, pos = normalize(in, rng, code, pos)
		rng, code, q, zero = bit(rng, code, uint64(*prob))
		*prob = uint16(q)
		m += m + 1 + zero
		v += m & 1 << (i & 31)
	}
	return rng, code, pos, v
}

// readDirect reads the low bits of a far distance: count bits of even
// probability less the last four, which are a tree with the lowest bit first.
//
//go:noinline
func readDirect(in *input, align *[16]uint16, rng, code, pos, count uint64) (uint64, uint64, uint64, uint64) {
	_ = in[0]
	direct := uint64(0)
	for i := count - alignBits; i > 0; i-- {
		rng, code, pos = normalize(in, rng, code, pos)
		rng >>= 1
		code -= rng
		zero := uint64(int64(code) >> 63)
		code += rng & zero
		direct = direct<<1 + 1 + zero
	}
	var q, zero uint64
	p, lo, hi := uint64(align[1]), uint64(align[2]), uint64(align[3])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	align[1] = uint16(q)
	p = hi + zero&(lo-hi)
	next := (6 + zero<<1) & 6
	lo, hi = uint64(align[next]), uint64(align[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	align[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 14
	lo, hi = uint64(align[next]), uint64(align[next+1])
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	align[next>>1] = uint16(q)
	p = hi + zero&(lo-hi)
	next = (next + 1 + zero) << 1 & 30
	rng, code, pos = normalize(in, rng, code, pos)
	rng, code, q, zero = bit(rng, code, p)
	align[next>>1] = uint16(q)
	return rng, code, pos, direct<<alignBits + uint64(bits.Reverse8(uint8(next+1+zero)))>>4
}
