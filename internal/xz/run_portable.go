package xz

// runPortable decodes until at reaches limit, which is at most ring. A match may go on
// beyond it, but not beyond end.
//
// It is long because it is the inner loop of every build where decode is not assembly
// (run_amd64.s, which is held against it): what changes with each symbol is in local
// variables. Trees of bits are functions of their own (trees.go), so that the compiler has
// registers enough there. The bits here decide what comes next, so they are branches.
func (d *lzma) runPortable(limit, end uint64) error {
	in := &d.in
	buf := d.buf
	rng, code, pos := d.rng, d.code, d.pos
	state := d.state
	rep0 := d.rep0
	at := d.at
	prev := d.last()
	var err error
	for at < limit {
		posState := at & d.posMask
		if rng < topValue {
			rng <<= 8
			code = code<<8 | uint64(in[pos&(inputSize-1)])
			pos++
		}
		prob := &d.isMatch[(state<<4|posState)&0xff]
		bound := rng >> probBits * uint64(*prob)
		if code < bound {
			rng = bound
			*prob += (1<<probBits - *prob) >> moveBits
			lit := &d.literal[(at&d.literalMask<<(d.lc&7)+prev>>((8-d.lc)&15))&15]
			sym := uint64(1)
			if state < litStates {
				rng, code, pos, sym = readLiteral(in, lit, rng, code, pos)
			} else {
				from := at - rep0 - 1
				if int64(from) < 0 {
					from += d.ring
				}
				match := uint64(buf[from])
				rng, code, pos, sym = readMatched(in, lit, rng, code, pos, match)
			}
			prev = sym & 0xff
			buf[at] = byte(sym)
			at++
			state = uint64(afterLiteral[state&15])
			continue
		}
		rng -= bound
		code -= bound
		*prob -= *prob >> moveBits

		if rng < topValue {
			rng <<= 8
			code = code<<8 | uint64(in[pos&(inputSize-1)])
			pos++
		}
		prob = &d.isRep[state&15]
		bound = rng >> probBits * uint64(*prob)
		var lens *lengthProbs
		if code < bound {
			rng = bound
			*prob += (1<<probBits - *prob) >> moveBits
			d.rep3, d.rep2, d.rep1 = d.rep2, d.rep1, rep0
			if state < litStates {
				state = 7
			} else {
				state = 10
			}
			lens = &d.length
		} else {
			rng -= bound
			code -= bound
			*prob -= *prob >> moveBits
			if rng < topValue {
				rng <<= 8
				code = code<<8 | uint64(in[pos&(inputSize-1)])
				pos++
			}
			prob = &d.isRep0[state&15]
			bound = rng >> probBits * uint64(*prob)
			if code < bound {
				rng = bound
				*prob += (1<<probBits - *prob) >> moveBits
				if rng < topValue {
					rng <<= 8
					code = code<<8 | uint64(in[pos&(inputSize-1)])
					pos++
				}
				prob = &d.isRep0Long[(state<<4|posState)&0xff]
				bound = rng >> probBits * uint64(*prob)
				if code < bound {
					rng = bound
					*prob += (1<<probBits - *prob) >> moveBits
					from := at - rep0 - 1
					if int64(from) < 0 {
						if !d.wrapped {
							err = errDistance
							break
						}
						from += d.ring
					}
					b := buf[from]
					buf[at] = b
					prev = uint64(b)
					at++
					if state < litStates {
						state = 9
					} else {
						state = 11
					}
					continue
				}
				rng -= bound
				code -= bound
				*prob -= *prob >> moveBits
			} else {
				rng -= bound
				code -= bound
				*prob -= *prob >> moveBits
				if rng < topValue {
					rng <<= 8
					code = code<<8 | uint64(in[pos&(inputSize-1)])
					pos++
				}
				prob = &d.isRep1[state&15]
				bound = rng >> probBits * uint64(*prob)
				if code < bound {
					rng = bound
					*prob += (1<<probBits - *prob) >> moveBits
					rep0, d.rep1 = d.rep1, rep0
				} else {
					rng -= bound
					code -= bound
					*prob -= *prob >> moveBits
					if rng < topValue {
						rng <<= 8
						code = code<<8 | uint64(in[pos&(inputSize-1)])
						pos++
					}
					prob = &d.isRep2[state&15]
					bound = rng >> probBits * uint64(*prob)
					if code < bound {
						rng = bound
						*prob += (1<<probBits - *prob) >> moveBits
						rep0, d.rep1, d.rep2 = d.rep2, rep0, d.rep1
					} else {
						rng -= bound
						code -= bound
						*prob -= *prob >> moveBits
						rep0, d.rep1, d.rep2, d.rep3 = d.rep3, rep0, d.rep1, d.rep2
					}
				}
			}
			if state < litStates {
				state = 8
			} else {
				state = 11
			}
			lens = &d.repLength
		}

		// The length: 2 to 9, 10 to 17, or 18 to 273.
		var n uint64
		if rng < topValue {
			rng <<= 8
			code = code<<8 | uint64(in[pos&(inputSize-1)])
			pos++
		}
		bound = rng >> probBits * uint64(lens.choice)
		if code < bound {
			rng = bound
			lens.choice += (1<<probBits - lens.choice) >> moveBits
			rng, code, pos, n = readTree3(in, &lens.low[posState&15], rng, code, pos)
			n -= 8 - minMatch
		} else {
			rng -= bound
			code -= bound
			lens.choice -= lens.choice >> moveBits
			if rng < topValue {
				rng <<= 8
				code = code<<8 | uint64(in[pos&(inputSize-1)])
				pos++
			}
			bound = rng >> probBits * uint64(lens.choice2)
			if code < bound {
				rng = bound
				lens.choice2 += (1<<probBits - lens.choice2) >> moveBits
				rng, code, pos, n = readTree3(in, &lens.mid[posState&15], rng, code, pos)
				n += minMatch
			} else {
				rng -= bound
				code -= bound
				lens.choice2 -= lens.choice2 >> moveBits
				rng, code, pos, n = readTree8(in, &lens.high, rng, code, pos)
				n -= 256 - 16 - minMatch
			}
		}

		if lens == &d.length {
			var slot uint64
			rng, code, pos, slot = readTree6(in, &d.distSlot[min(n-minMatch, 3)], rng, code, pos)
			slot &= 63
			rep0 = slot
			if slot >= startSlot {
				bits := slot>>1 - 1
				rep0 = (2 | slot&1) << (bits & 31)
				if slot < endSlot {
					// A tree read from its lowest bit, at a place of its own.
					var low uint64
					rng, code, pos, low = readReverse(in, &d.distLow, rng, code, pos, rep0-slot, bits)
					rep0 += low
				} else {
					var low uint64
					rng, code, pos, low = readDirect(in, &d.distAlign, rng, code, pos, bits)
					rep0 += low
				}
			}
			if rep0 >= d.size {
				err = errDistance
				break
			}
		}

		if n > end-at {
			err = errLength
			break
		}
		dist := rep0 + 1
		from := at - dist
		stop := at + n
		if int64(from) < 0 {
			if !d.wrapped {
				err = errDistance
				break
			}
			from += d.ring
			if from+n > d.ring {
				for ; at < stop; at++ {
					buf[at] = buf[from]
					if from++; from == d.ring {
						from = 0
					}
				}
				prev = uint64(buf[at-1])
				continue
			}
		} else if dist < copyUnit {
			// Copy whole periods until the source is far enough behind.
			for period := dist; dist < copyUnit && at < stop; dist += period {
				for range period {
					buf[at] = buf[from]
					at++
					from++
				}
			}
			from = at - dist
		}
		for at < stop {
			*(*[copyUnit]byte)(buf[at:]) = *(*[copyUnit]byte)(buf[from:])
			at += copyUnit
			from += copyUnit
		}
		at = stop
		prev = uint64(buf[at-1])
	}
	if rng < topValue && err == nil {
		rng <<= 8
		code = code<<8 | uint64(in[pos&(inputSize-1)])
		pos++
	}
	d.rng, d.code, d.pos = rng, code, pos
	d.state, d.rep0, d.at = state, rep0, at
	return err
}
