package xz

import "errors"

const (
	minMatch  = 2
	litStates = 7  // states below it come after a literal
	startSlot = 4  // the first distance slot with more bits than the slot itself
	endSlot   = 14 // the first with bits of fixed probability
	alignBits = 4

	literalTree = 0x300 // probabilities of a literal
)

// lengthProbs are the probabilities of the length of a match: 2 to 9 by low, 10
// to 17 by mid, up to 273 by high.
type lengthProbs struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16 // by position
	high            [256]uint16
}

// probs are the adaptive probabilities of a bit being 0, in units of 1/2048. The
// arrays are as large as the masks of their indexes.
type probs struct {
	isMatch    [256]uint16 // by 16 times the state, and position
	isRep0Long [256]uint16
	isRep      [16]uint16 // by state
	isRep0     [16]uint16
	isRep1     [16]uint16
	isRep2     [16]uint16
	distSlot   [4][64]uint16 // by length
	distLow    [128]uint16
	distAlign  [16]uint16
	length     lengthProbs
	repLength  lengthProbs
	literal    [16]literalProbs // by the byte before, and position
}

// literalProbs are a tree for a literal, and two for one that is compared with
// the byte at the last distance: while its bits are the same, by what they are.
type literalProbs [literalTree]uint16

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

func (p *probs) reset() {
	for _, all := range [][]uint16{
		p.isMatch[:], p.isRep0Long[:], p.isRep[:], p.isRep0[:], p.isRep1[:], p.isRep2[:], p.distLow[:], p.distAlign[:],
	} {
		fill(all)
	}
	for i := range p.distSlot {
		fill(p.distSlot[i][:])
	}
	for _, l := range []*lengthProbs{&p.length, &p.repLength} {
		l.choice, l.choice2 = probInit, probInit
		for i := range l.low {
			fill(l.low[i][:])
			fill(l.mid[i][:])
		}
		fill(l.high[:])
	}
	for i := range p.literal {
		fill(p.literal[i][:])
	}
}

var (
	errDistance = errors.New("lzma: a match reaches back before the dictionary")
	errLength   = errors.New("lzma: a match is longer than its chunk")
)

// afterLiteral is the state that a literal leads to.
var afterLiteral = [16]uint8{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// lzma is the state of an LZMA decoder between two runs.
type lzma struct {
	probs
	window
	in                     input
	rng, code, pos         uint64
	state                  uint64 // what the last symbols were, 0 to 11
	rep0, rep1, rep2, rep3 uint64 // the last distances, less one
	lc                     uint64 // bits of the byte before that choose a literal's tree
	literalMask, posMask   uint64 // bits of the position that choose
}

func (d *lzma) resetState() {
	d.probs.reset()
	d.state, d.rep0, d.rep1, d.rep2, d.rep3 = 0, 0, 0, 0, 0
}
