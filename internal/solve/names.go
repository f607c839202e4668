package solve

import (
	"hash/maphash"

	"stet/internal/debian"
)

// name is what a relation can hit: the packages so called, best version first,
// and those that provide the name.
type name struct {
	real      []id
	providers []provider
}

type provider struct {
	id id
	as *debian.Relation // with the qualifier of the provided name, and its version
}

// names gives numbers to texts: a hash table of one size, since how many there
// can be is known before, and all of an archive's are looked up at once.
type names struct {
	seed  maphash.Seed
	slots []int32 // number, plus 1; 0 = free
	texts []string
	// The things of a name are things[ends[n-1]:ends[n]] of some list.
	ends []int32
}

// newNames makes room for at most so many names.
func newNames(most int) *names {
	size := 16
	for size < most+most/2 {
		size *= 2
	}
	return &names{seed: maphash.MakeSeed(), slots: make([]int32, size), texts: make([]string, 0, most)}
}

// slot is where text is, or the free slot where it belongs.
func (n *names) slot(text string) int {
	mask := len(n.slots) - 1
	at := int(maphash.String(n.seed, text)) & mask
	for n.slots[at] != 0 && n.texts[n.slots[at]-1] != text {
		at = (at + 1) & mask
	}
	return at
}

// find gives the number of a text, or -1.
func (n *names) find(text string) int32 { return n.slots[n.slot(text)] - 1 }

// add gives the number of a text that may be new.
func (n *names) add(text string) int32 {
	at := n.slot(text)
	if n.slots[at] == 0 {
		n.texts = append(n.texts, text)
		n.slots[at] = int32(len(n.texts))
	}
	return n.slots[at] - 1
}

// span is where the things of a name begin and end.
func (n *names) span(number int32) (begin, end int32) {
	if number > 0 {
		begin = n.ends[number-1]
	}
	return begin, n.ends[number]
}

// group sorts things by name: of[i] is the name of the thing i, and put is told
// its place in the list. Things of one name keep their order.
func (n *names) group(of []int32, put func(thing int, place int32)) {
	next := make([]int32, len(n.texts)+1)
	for _, number := range of {
		next[number+1]++
	}
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
	}
	for thing, number := range of {
		put(thing, next[number])
		next[number]++
	}
	n.ends = next[:len(n.texts)] // each has moved to its end
}
