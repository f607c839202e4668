package catalog

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"stet/internal/debian"
)

// column is a list of numbers, each of 32 bits, the lowest byte first: what was read
// from a file is used as it is. It may be wrong in any way.
type column []byte

func newColumn(length int) column { return make(column, 4*length) }

func (c column) len() int { return len(c) / 4 }

// at gives a number, or zero where there is none.
func (c column) at(i int) int {
	if i >= c.len() {
		return 0
	}
	return int(binary.LittleEndian.Uint32(c[4*i:]))
}

func (c column) set(i, n int) { binary.LittleEndian.PutUint32(c[4*i:], uint32(n)) }

func (c column) append(n int) column { return binary.LittleEndian.AppendUint32(c, uint32(n)) }

// part gives the numbers from one place to another.
func (c column) part(begin, end int) column {
	if begin >= end || end > c.len() {
		return nil
	}
	return c[4*begin : 4*end]
}

// texts are texts after each other, each behind its length. The first one is empty:
// many are, and small numbers are short. It only ever grows.
type texts []byte

func (t texts) append(s string) (texts, int) {
	if len(t) == 0 {
		t = texts{0}
	}
	if s == "" {
		return t, 0
	}
	return append(binary.AppendUvarint(t, uint64(len(s))), s...), len(t)
}

// at gives the text at a place, or "" where there is none. It shares memory with t:
// copying what a set reaches would cost as much as making its packages.
func (t texts) at(place int) string {
	if place >= len(t) {
		return ""
	}
	length, behind := binary.Uvarint(t[place:])
	if begin := place + behind; behind > 0 && 0 < length && length <= uint64(len(t)-begin) {
		return unsafe.String(&t[begin], length)
	}
	return ""
}

// names gives numbers to texts, by a hash table that is the same in every process, and
// says which things of some list are of each.
type names struct {
	slots  column // the number of a name, plus 1; 0 = free
	places column // of a name: where it is in texts
	begins column // of a name: where its things begin; they end where the next one's begin
	texts  texts
}

// newNames makes room for so many names. More may come.
func newNames(likely int) names {
	size := 16
	for crowded(likely, size) {
		size *= 2
	}
	const length = 24 // of a name, or less
	return names{slots: newColumn(size), places: make(column, 0, 4*likely), texts: make(texts, 0, length*likely)}
}

// crowded says whether so many names are too many for a table of a size: what is not
// there is found by a free slot.
func crowded(names, slots int) bool { return slots < names+names/2 }

func (n *names) text(number int) string { return n.texts.at(n.places.at(number)) }

// slot is where text is, or the free slot where it belongs.
func (n *names) slot(text string) int {
	mask := n.slots.len() - 1
	at := hash(text) & mask
	for range mask { // a table that was made to harm may have no free slot
		if number := n.slots.at(at); number == 0 || n.text(number-1) == text {
			break
		}
		at = (at + 1) & mask
	}
	return at
}

// hash takes eight bytes at a time: names are long, and there are many.
func hash(text string) int {
	h := uint64(len(text))
	for ; len(text) > 8; text = text[8:] {
		h = mix(h ^ binary.LittleEndian.Uint64([]byte(text[:8])))
	}
	var rest [8]byte
	copy(rest[:], text)
	return int(mix(h^binary.LittleEndian.Uint64(rest[:])) >> 1)
}

// mix lets each bit of x have a say in all of what comes out.
func mix(x uint64) uint64 {
	high, low := bits.Mul64(x, 0x9e3779b97f4a7c15)
	return high ^ low
}

// add gives the number of a text that may be new.
func (n *names) add(text string) int32 {
	slot := n.slot(text)
	if number := n.slots.at(slot); number > 0 {
		return int32(number - 1)
	}
	var place int
	n.texts, place = n.texts.append(text)
	n.places = n.places.append(place)
	number := n.places.len()
	n.slots.set(slot, number)
	if crowded(number, n.slots.len()) {
		n.widen()
	}
	return int32(number - 1)
}

// widen makes twice the slots.
func (n *names) widen() {
	n.slots = newColumn(2 * n.slots.len())
	for number := range n.places.len() {
		n.slots.set(n.slot(n.text(number)), number+1)
	}
}

// group sorts things by name: of[i] is the name of the thing i, and put is told its
// place in the list. Things of one name keep their order.
func (n *names) group(of []int32, put func(thing, place int)) {
	next := make([]int, n.places.len()+1)
	for _, number := range of {
		next[number+1]++
	}
	n.begins = newColumn(len(next))
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
		n.begins.set(i, next[i])
	}
	for thing, number := range of {
		put(thing, next[number])
		next[number]++
	}
}

// span is where the things of a name begin and end.
func (n *names) span(text string) (begin, end int) {
	number := n.slots.at(n.slot(text))
	if number == 0 {
		return 0, 0
	}
	return n.begins.at(number - 1), n.begins.at(number)
}

// calls are what packages are called.
type calls struct {
	names   names
	of      []int32 // the number of each package's name
	eminent []int   // see [Catalog.Eminent]
}

func (c *calls) add(p *debian.Package) {
	if p.Essential || p.Priority != Ordinary {
		c.eminent = append(c.eminent, len(c.of))
	}
	c.of = append(c.of, c.names.add(p.Name))
}

// provisions are what packages have in their Provides.
type provisions struct {
	names names
	of    []int32 // the number of each provided name
	by    []int32 // the package that provides it
}

func (v *provisions) add(i int, p *debian.Package) {
	for _, alternatives := range p.Provides {
		for j := range alternatives {
			v.of, v.by = append(v.of, v.names.add(alternatives[j].Name)), append(v.by, int32(i))
		}
	}
}
