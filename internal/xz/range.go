package xz

// The range decoder reads bits whose probability adapts. Its state is in local
// variables: rng is the width of the current range, code the place of the input
// in it (code < rng < 1<<32, both in 64 bits so that a difference keeps its
// sign), pos the next byte of in.
const (
	probBits = 11
	probInit = 1 << (probBits - 1)
	moveBits = 5
	topValue = 1 << 24

	rangeInit = 5  // bytes that fill code
	maxSymbol = 64 // more bytes than one symbol takes

	// adaptUp turns p - p>>5 into p + (1<<11 - p)>>5, the rounding included, as
	// a two's complement.
	adaptUp = 1<<64 + 1<<moveBits - 1 - 1<<probBits

	inputSize = 1 << 17
)

// input is the compressed bytes of one LZMA2 chunk, at most 64 KiB. It is as
// large as the mask that keeps every index inside: a corrupt chunk that wants
// more bytes than it has reads on there, and is found out at its end.
type input [inputSize]byte
