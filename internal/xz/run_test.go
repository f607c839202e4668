package xz

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// FuzzLoops holds the loop of this processor against the portable one, with what is no
// LZMA as well, in a ring that matches go around.
func FuzzLoops(f *testing.F) {
	whole := firstChunks(f, text(200_000), 200_000)
	f.Add(whole)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		damaged := bytes.Clone(whole)
		damaged[6+random.IntN(len(damaged)-6)]++
		f.Add(damaged)
	}
	for _, seed := range lzma2Seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, chunks []byte) {
		const dictionary = 1 << 16
		one, other := newDecoder(dictionary), newDecoder(dictionary)
		defer one.release()
		defer other.release()
		from, again := &source{r: bytes.NewReader(chunks)}, &source{r: bytes.NewReader(chunks)}
		for range 64 {
			start, err := one.begin(from)
			if _, also := other.begin(again); err != nil || also != nil {
				return
			}
			err, want := one.run(min(start+one.left, one.ring), start+one.left), other.runPortable(min(start+one.left, other.ring), start+one.left)
			if one.pos > one.packed && other.pos > other.packed {
				return
			}
			if err != want || one.at != other.at || one.pos != other.pos || one.rng != other.rng || one.code != other.code {
				t.Fatalf("at %d of %d, %v; the portable loop at %d of %d, %v", one.at, one.pos, err, other.at, other.pos, want)
			}
			if !bytes.Equal(one.buf[:one.at], other.buf[:other.at]) {
				t.Fatal("the loops give different bytes")
			}
			if err != nil {
				return
			}
			one.left, other.left = start+one.left-one.at, start+other.left-other.at
		}
	})
}

// begin makes ready for the next run and tells where it begins; what is stored is passed.
func (d *decoder) begin(src *source) (uint64, error) {
	for {
		d.wrap()
		if d.left == 0 {
			if err := d.header(src, 1<<22); err != nil {
				return 0, err
			}
		}
		if d.packed > 0 {
			return d.at, nil
		}
		end := min(d.at+d.left, d.ring)
		d.left -= end - d.at
		if err := src.full(d.buf[d.at:end]); err != nil {
			return 0, err
		}
		d.at = end
	}
}
