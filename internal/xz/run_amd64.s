//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// decode is the inner loop of every first build. It is assembly because of one thing: a
// bit of a tree is as good as random, so that a branch on it is guessed wrong half of the
// time, and compilers make a branch of what is a conditional move here.
//
// Probabilities are found at numbers that are bounded by how they are made (bits of a
// tree; masks that setProperties has checked). Input is checked once a symbol, against
// what no symbol takes; output, whenever a match is copied.

#define rng   R8  // width of the range
#define code  R9  // place of the input in it
#define src   R10 // the next byte of input
#define dec   R11 // *lzma
#define dst   R12 // where the next byte goes
#define state R14 // what the last symbols were
#define prev  R15 // the byte before; within a match, its length or the lengthProbs
// AX, BX, CX, DX, SI, DI and R13 are for single steps.

#define buf     (lzma_window+window_buf)(dec)
#define ring    (lzma_window+window_ring)(dec)
#define wrapped (lzma_window+window_wrapped)(dec)
#define size    (lzma_window+window_size)(dec)
#define rep0    lzma_rep0(dec)
#define rep1    lzma_rep1(dec)
#define rep2    lzma_rep2(dec)
#define rep3    lzma_rep3(dec)

// What is left of a copy, and where input and output end, is on the stack.
#define dstLimit   limit-8(SP)
#define dstEnd     stop-16(SP)
#define srcLimit   input-24(SP)
#define savedState before-32(SP)

// NORMALIZE reads a byte when the range has become narrow.
#define NORMALIZE(t) \
	CMPL    rng, $const_topValue \
	JCC     6(PC)                \
	SHLL    $8, rng              \
	SHLL    $8, code             \
	MOVBLZX (src), t             \
	INCQ    src                  \
	ORL     t, code

// BRANCH decodes the bit of the probability at SI, and goes on at one if it is set. It
// uses AX, CX and DX.
#define BRANCH(one) \
	NORMALIZE(CX)         \
	MOVWLZX (SI), AX      \
	MOVL    rng, CX       \
	SHRL    $const_probBits, CX \
	IMULL   AX, CX        \
	CMPL    code, CX      \
	JCC     one           \
	MOVL    CX, rng       \
	MOVL    $(1<<const_probBits), DX \
	SUBL    AX, DX        \
	SHRL    $const_moveBits, DX \
	ADDL    AX, DX        \
	MOVW    DX, (SI)

// SET is where BRANCH goes on: the rest of decoding a 1.
#define SET \
	SUBL CX, rng      \
	SUBL CX, code     \
	MOVL AX, DX       \
	SHRL $const_moveBits, DX \
	SUBL DX, AX       \
	MOVW AX, (SI)

// BOUND divides the range: CX is the part of a 0, and the carry flag says it is one.
// What the range and the place in it become follows, without a branch.
#define BOUND(p) \
	MOVL    rng, CX             \
	SHRL    $const_probBits, CX \
	IMULL   p, CX               \
	SUBL    CX, rng             \
	MOVL    code, R13           \
	SUBL    CX, R13             \
	CMOVLCS CX, rng             \
	CMOVLCC R13, code

// ADAPT moves probability p, at SI and twice node n, to what the bit was: CX is all ones
// for a 0, else zero.
#define ADAPT(p, n) \
	ANDL $((1<<const_probBits)-(1<<const_moveBits)+1), CX \
	ADDL $((1<<const_moveBits)-1), CX \
	SUBL p, CX               \
	SARL $const_moveBits, CX \
	ADDL p, CX               \
	MOVW CX, (SI)(n*2)

// BIT decodes the bit at node n, of probability p, of the tree at SI: m is the child, and
// q its probability. Both children's are loaded before it is known which.
#define BIT(p, n, q, m) \
	NORMALIZE(CX)           \
	MOVWLZX 2(SI)(n*4), q   \
	MOVWLZX (SI)(n*4), m    \
	BOUND(p)                \
	CMOVLCS m, q            \
	SBBL    CX, CX          \
	LEAL    1(CX)(n*2), m   \
	ADAPT(p, n)

// LAST decodes a bit that leads to a leaf.
#define LAST(p, n, m) \
	NORMALIZE(CX)         \
	BOUND(p)              \
	SBBL CX, CX           \
	LEAL 1(CX)(n*2), m    \
	ADAPT(p, n)

// ROOT begins with the tree at SI; two bits later all is in these registers again.
#define ROOT \
	MOVWLZX 2(SI), AX \
	MOVL    $1, DX

#define TWOBITS \
	BIT(AX, DX, BX, DI) \
	BIT(BX, DI, AX, DX)

// MATCHED decodes a bit of a literal by the help of the byte that a match would give,
// whose next bit is the eighth of DI. BX is 0x100 while the bits were the same, else 0;
// DX the node.
#define MATCHED \
	ADDL    DI, DI           \
	MOVL    BX, prev         \
	ANDL    DI, BX           \
	LEAL    (prev)(DX*1), state \
	ADDL    BX, state        \
	MOVWLZX (SI)(state*2), AX \
	NORMALIZE(CX)            \
	BOUND(AX)                \
	SBBL    CX, CX           \
	ANDL    CX, prev         \
	XORL    prev, BX         \
	LEAL    1(CX)(DX*2), DX  \
	ADAPT(AX, state)

// MOVE sets the state: a if it was that after a literal, else b.
#define MOVE(a, b) \
	MOVL    $b, CX                \
	CMPL    state, $const_litStates \
	MOVL    $a, state             \
	CMOVLCC CX, state

// func decode(d *lzma, limit, end, last uint64) uint64
TEXT ·decode(SB), NOSPLIT, $32-40
	MOVQ d+0(FP), dec
	MOVL lzma_rng(dec), rng
	MOVL lzma_code(dec), code
	MOVQ lzma_pos(dec), src
	LEAQ lzma_in(dec)(src*1), src
	LEAQ (lzma_in+const_inputSize-const_maxSymbol)(dec), AX
	MOVQ AX, srcLimit
	MOVQ buf, CX
	MOVQ (lzma_window+window_at)(dec), dst
	ADDQ CX, dst
	MOVQ limit+8(FP), AX
	ADDQ CX, AX
	MOVQ AX, dstLimit
	MOVQ end+16(FP), AX
	ADDQ CX, AX
	MOVQ AX, dstEnd
	MOVQ last+24(FP), prev
	MOVQ lzma_state(dec), state

	PCALIGN $32

symbol:
	CMPQ dst, dstLimit
	JCC  done
	CMPQ src, srcLimit
	JHI  short
	MOVQ dst, DI
	SUBQ buf, DI
	MOVQ DI, BX
	ANDQ lzma_posMask(dec), BX // stays in BX until the length is known
	MOVL state, CX
	SHLL $4, CX
	ORL  BX, CX
	LEAQ (lzma_probs+probs_isMatch)(dec)(CX*2), SI
	BRANCH(match)

	// A literal: its tree depends on the position and the byte before.
	MOVQ  lzma_lc(dec), CX
	ANDQ  lzma_literalMask(dec), DI
	SHLQ  CX, DI
	SHLL  CX, prev
	SHRL  $8, prev
	ADDQ  prev, DI
	IMULQ $(2*const_literalTree), DI
	LEAQ  (lzma_probs+probs_literal)(dec)(DI*1), SI
	CMPL  state, $const_litStates
	JCC   matched
	ROOT
	TWOBITS
	TWOBITS
	TWOBITS
	BIT(AX, DX, BX, DI)
	LAST(BX, DI, DX)

literal:
	MOVBLZX DX, prev
	MOVB    prev, (dst)
	INCQ    dst
	LEAQ    ·afterLiteral(SB), CX
	MOVBLZX (CX)(state*1), state
	JMP     symbol

matched:
	MOVQ dst, AX
	SUBQ rep0, AX
	DECQ AX
	CMPQ AX, buf
	JCC  known
	ADDQ ring, AX
	CMPQ AX, buf
	JCS  far

known:
	MOVBLZX (AX), DI
	MOVL    state, savedState
	MOVL    $0x100, BX
	MOVL    $1, DX
	MATCHED
	MATCHED
	MATCHED
	MATCHED
	MATCHED
	MATCHED
	MATCHED
	MATCHED
	MOVL    savedState, state
	JMP     literal

match:
	SET
	LEAQ (lzma_probs+probs_isRep)(dec)(state*2), SI
	BRANCH(repeated)
	MOVQ rep2, AX
	MOVQ AX, rep3
	MOVQ rep1, AX
	MOVQ AX, rep2
	MOVQ rep0, AX
	MOVQ AX, rep1
	MOVE(7, 10)
	LEAQ (lzma_probs+probs_length)(dec), prev
	JMP  length

repeated:
	SET
	LEAQ (lzma_probs+probs_isRep0)(dec)(state*2), SI
	BRANCH(older)
	MOVL state, CX
	SHLL $4, CX
	ORL  BX, CX
	LEAQ (lzma_probs+probs_isRep0Long)(dec)(CX*2), SI
	BRANCH(long)

	// A single byte from the last distance.
	MOVQ dst, AX
	SUBQ rep0, AX
	DECQ AX
	CMPQ AX, buf
	JCC  single
	CMPB wrapped, $0
	JEQ  far
	ADDQ ring, AX
	CMPQ AX, buf
	JCS  far

single:
	MOVBLZX (AX), prev
	MOVB    prev, (dst)
	INCQ    dst
	MOVE(9, 11)
	JMP     symbol

older:
	SET
	LEAQ (lzma_probs+probs_isRep1)(dec)(state*2), SI
	BRANCH(oldest)
	MOVQ rep0, AX
	MOVQ rep1, CX
	MOVQ AX, rep1
	MOVQ CX, rep0
	JMP  relength

oldest:
	SET
	LEAQ (lzma_probs+probs_isRep2)(dec)(state*2), SI
	BRANCH(third)
	MOVQ rep2, CX
	JMP  shift

third:
	SET
	MOVQ rep3, CX
	MOVQ rep2, AX
	MOVQ AX, rep3

shift:
	MOVQ rep1, AX
	MOVQ AX, rep2
	MOVQ rep0, AX
	MOVQ AX, rep1
	MOVQ CX, rep0
	JMP  relength

long:
	SET

relength:
	MOVE(8, 11)
	LEAQ (lzma_probs+probs_repLength)(dec), prev

	// The length: 2 to 9, 10 to 17, or 18 to 273.
length:
	LEAQ lengthProbs_choice(prev), SI
	BRANCH(mid)
	SHLL $4, BX
	LEAQ lengthProbs_low(prev)(BX*1), SI
	ROOT
	TWOBITS
	LAST(AX, DX, DI)
	SUBL $(8-const_minMatch), DI
	JMP  distance

mid:
	SET
	LEAQ lengthProbs_choice2(prev), SI
	BRANCH(high)
	SHLL $4, BX
	LEAQ lengthProbs_mid(prev)(BX*1), SI
	ROOT
	TWOBITS
	LAST(AX, DX, DI)
	ADDL $const_minMatch, DI
	JMP  distance

high:
	SET
	LEAQ lengthProbs_high(prev), SI
	ROOT
	TWOBITS
	TWOBITS
	TWOBITS
	BIT(AX, DX, BX, DI)
	LAST(BX, DI, DX)
	LEAL (16+const_minMatch-256)(DX), DI

distance:
	LEAQ (lzma_probs+probs_length)(dec), CX
	CMPQ prev, CX
	MOVL DI, prev // the length from here on
	JNE  copy
	LEAL -const_minMatch(DI), CX
	MOVL $3, AX
	CMPL CX, AX
	CMOVLHI AX, CX
	SHLL $7, CX
	LEAQ (lzma_probs+probs_distSlot)(dec)(CX*1), SI
	ROOT
	TWOBITS
	TWOBITS
	BIT(AX, DX, BX, DI)
	LAST(BX, DI, DX)
	SUBL $64, DX
	CMPL DX, $const_startSlot
	JCS  near
	MOVL DX, CX
	SHRL $1, CX
	DECL CX // bits below the two highest
	MOVL DX, DI
	ANDL $1, DI
	ORL  $2, DI
	CMPL DX, $const_endSlot
	JCC  direct

	// A tree read from its lowest bit, at a place of its own.
	MOVL CX, BX
	SHLL CX, DI
	MOVQ DI, rep0
	SUBL DX, DI
	LEAQ (lzma_probs+probs_distLow)(dec)(DI*2), SI
	MOVL $1, DX

reverse:
	MOVWLZX (SI)(DX*2), AX
	LAST(AX, DX, DI)
	MOVL DI, DX
	DECL BX
	JNE  reverse
	JMP  lowest

	// Bits of even probability, less the last four, which are a tree like that.
direct:
	LEAL -const_alignBits(CX), BX

even:
	NORMALIZE(CX)
	SHRL    $1, rng
	MOVL    code, CX
	SUBL    rng, CX
	CMOVLCC CX, code
	SBBL    CX, CX
	LEAL    1(CX)(DI*2), DI
	DECL    BX
	JNE     even
	SHLQ    $const_alignBits, DI
	MOVQ    DI, rep0
	LEAQ    (lzma_probs+probs_distAlign)(dec), SI
	ROOT
	TWOBITS
	BIT(AX, DX, BX, DI)
	LAST(BX, DI, DX)

lowest:
	LEAQ    ·reversed(SB), CX
	MOVBLZX (CX)(DX*1), DX
	ADDQ    rep0, DX

near:
	MOVQ DX, rep0
	CMPQ DX, size
	JCC  far

copy:
	MOVQ dstEnd, AX
	SUBQ dst, AX
	CMPQ prev, AX
	JHI  overlong
	MOVQ rep0, AX
	INCQ AX
	MOVQ dst, SI
	SUBQ AX, SI
	LEAQ (dst)(prev*1), DI // where it ends
	CMPQ SI, buf
	JCS  around
	CMPQ AX, $const_copyUnit
	JCS  periods

units:
	MOVOU (SI), X0
	MOVOU X0, (dst)
	ADDQ  $const_copyUnit, SI
	ADDQ  $const_copyUnit, dst
	CMPQ  dst, DI
	JCS   units

copied:
	MOVQ    DI, dst
	MOVBLZX -1(dst), prev
	JMP     symbol

	// Copy whole periods until the source is far enough behind.
periods:
	MOVQ AX, BX

period:
	MOVQ BX, CX

byte:
	MOVBLZX (SI), DX
	MOVB    DX, (dst)
	INCQ    SI
	INCQ    dst
	DECQ    CX
	JNE     byte
	CMPQ    dst, DI
	JCC     copied
	ADDQ    BX, AX
	CMPQ    AX, $const_copyUnit
	JCS     period
	MOVQ    dst, SI
	SUBQ    AX, SI
	JMP     units

	// The source is at the end of the ring, and may go on at its begin.
around:
	CMPB wrapped, $0
	JEQ  far
	ADDQ ring, SI
	MOVQ buf, BX
	CMPQ SI, BX
	JCS  far
	ADDQ ring, BX
	LEAQ (SI)(prev*1), CX
	CMPQ CX, BX
	JLS  units

crossing:
	MOVBLZX (SI), DX
	MOVB    DX, (dst)
	INCQ    SI
	INCQ    dst
	CMPQ    SI, BX
	JNE     2(PC)
	MOVQ    buf, SI
	CMPQ    dst, DI
	JCS     crossing
	JMP     copied

far:
	MOVQ $const_farDistance, AX
	JMP  out

overlong:
	MOVQ $const_longMatch, AX
	JMP  out

short:
	MOVQ $const_shortInput, AX
	JMP  out

done:
	NORMALIZE(CX)
	XORL AX, AX

out:
	MOVQ AX, ret+32(FP)
	MOVQ rng, lzma_rng(dec)
	MOVQ code, lzma_code(dec)
	LEAQ lzma_in(dec), CX
	SUBQ CX, src
	MOVQ src, lzma_pos(dec)
	MOVQ state, lzma_state(dec)
	SUBQ buf, dst
	MOVQ dst, (lzma_window+window_at)(dec)
	RET
