//go:build !purego

package xz

// What ends a run of decode before its limit.
const (
	farDistance = 1 + iota
	longMatch
	shortInput
)

// runSlice is how many bytes are decoded at a time: nothing else of the program can
// make this core stop meanwhile, not even its garbage collector.
const runSlice = 1 << 16

// run decodes until at reaches limit, which is at most ring. A match may go on
// beyond it, but not beyond end.
func (d *lzma) run(limit, end uint64) error {
	for d.at < limit {
		switch decode(d, min(limit, d.at+runSlice), end, d.last()) {
		case farDistance:
			return errDistance
		case longMatch:
			return errLength
		case shortInput:
			return errShort
		}
	}
	return nil
}

// decode is run without a pause, behind the byte last; run_amd64.s has it.
//
//go:noescape
func decode(d *lzma, limit, end, last uint64) uint64

// reversed are the bits behind the leading 1 of a number, the last one first.
//
//lint:ignore U1000 run_amd64.s reads it
var reversed = func() (table [64]uint8) {
	for n := range table {
		for rest := n; rest > 1; rest >>= 1 {
			table[n] = table[n]<<1 | uint8(rest&1)
		}
	}
	return table
}()
