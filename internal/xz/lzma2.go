package xz

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// decoder decodes one LZMA2 stream (section 5.3.1 of the format, and the chunks
// of LZMA2 as liblzma writes them). It lives in a pool: it is large, and every
// block can use the one before's.
type decoder struct {
	lzma
	left      uint64 // bytes that the current chunk still gives
	packed    uint64 // size of the current chunk's input; 0 when it is stored
	needDict  bool   // the next chunk must begin a dictionary
	needProps bool   // the next compressed chunk must have properties
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// newDecoder takes a decoder for one LZMA2 stream; release gives it back.
func newDecoder(dictionary uint64) *decoder {
	d := decoders.Get().(*decoder)
	d.window.reset(dictionary)
	d.left, d.needDict, d.needProps = 0, true, true
	return d
}

func (d *decoder) release() {
	d.window.release()
	decoders.Put(d)
}

// next decodes some more and gives it; the bytes stay until the next call.
// Nothing and io.EOF is the end of the LZMA2 stream. It refuses a chunk that
// gives more than most bytes.
func (d *decoder) next(src *source, most uint64) ([]byte, error) {
	d.wrap()
	if d.left == 0 {
		if err := d.header(src, most); err != nil {
			return nil, err
		}
	}
	start, end := d.at, d.at+d.left
	if d.packed == 0 {
		d.at = min(end, d.ring)
		if err := src.full(d.buf[start:d.at]); err != nil {
			return nil, err
		}
	} else if err := d.run(min(end, d.ring), end); err != nil {
		if d.pos > d.packed {
			err = errShort // what was read behind the end misled it
		}
		return nil, err
	}
	if d.left -= d.at - start; d.left == 0 && d.packed > 0 {
		switch {
		case d.pos > d.packed:
			return nil, errShort
		case d.pos < d.packed || d.code != 0:
			return nil, errors.New("lzma2: a chunk does not end where it says")
		}
	}
	return d.buf[start:d.at], nil
}

var errShort = errors.New("lzma2: a chunk needs more bytes than it has")

// header begins a chunk.
func (d *decoder) header(src *source, most uint64) error {
	var h [6]byte
	if err := src.full(h[:1]); err != nil {
		return err
	}
	control := h[0]
	if control == 0 {
		return io.EOF
	}
	if control == 1 || control >= 0xe0 {
		d.window.restart()
		d.needDict, d.needProps = false, true
	} else if d.needDict {
		return fmt.Errorf("lzma2: the first chunk, %#x, begins no dictionary", control)
	}
	if control < 0x80 {
		if control > 2 {
			return fmt.Errorf("lzma2: %#x is no kind of chunk", control)
		}
		if err := src.full(h[1:3]); err != nil {
			return err
		}
		d.packed = 0
		return d.expect(uint64(h[1])<<8+uint64(h[2])+1, most)
	}
	if err := src.full(h[1:5]); err != nil {
		return err
	}
	d.packed = uint64(h[3])<<8 + uint64(h[4]) + 1
	if control >= 0xc0 {
		if err := src.full(h[5:6]); err != nil {
			return err
		}
		if err := d.setProperties(h[5]); err != nil {
			return err
		}
		d.needProps = false
	} else if d.needProps {
		return fmt.Errorf("lzma2: chunk %#x needs properties, which none before it has", control)
	}
	if control >= 0xa0 {
		d.resetState()
	}
	if d.packed < rangeInit {
		return errShort
	}
	if err := src.full(d.in[:d.packed]); err != nil {
		return err
	}
	clear(d.in[d.packed : d.packed+maxSymbol])
	if d.in[0] != 0 {
		return errors.New("lzma2: the first byte of a chunk's range coder is not zero")
	}
	d.rng, d.code, d.pos = 1<<32-1, 0, rangeInit
	for _, b := range d.in[1:rangeInit] {
		d.code = d.code<<8 | uint64(b)
	}
	if d.code >= d.rng {
		return errors.New("lzma2: a chunk's range coder begins behind its range")
	}
	return d.expect(uint64(control&0x1f)<<16+uint64(h[1])<<8+uint64(h[2])+1, most)
}

// expect makes ready for a chunk that gives n bytes.
func (d *decoder) expect(n, most uint64) error {
	if n > most {
		return errors.New("lzma2: the chunks give more than the block has")
	}
	d.left = n
	d.reserve(n)
	return nil
}

func (d *decoder) setProperties(b byte) error {
	lc, lp, pb := b%9, b/9%5, b/45
	if pb > 4 || lc+lp > 4 {
		return fmt.Errorf("lzma2: properties %d (lc %d, lp %d, pb %d) are not allowed", b, lc, lp, pb)
	}
	d.lc = uint64(lc)
	d.literalMask = 1<<lp - 1
	d.posMask = 1<<pb - 1
	return nil
}
