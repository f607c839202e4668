package solve

import "hash/maphash"

// name is what a relation can hit: the packages so called, best version first,
// and those that provide the name.
type name struct {
	text      string
	real      []id
	providers []provider
}

type provider struct {
	id      id
	arch    string // qualifier of the provided name, mostly ""
	version string // "" when the name is provided without a version
}

// names finds a name by its text: a hash table of one size, since how many names
// there can be is known before, and all of an archive's are looked up at once.
type names struct {
	seed  maphash.Seed
	slots []int32 // place in list, plus 1; 0 = free
	list  []name  // in the order of adding
}

// newNames makes room for at most so many names.
func newNames(most, likely int) *names {
	size := 16
	for size < most+most/2 {
		size *= 2
	}
	return &names{seed: maphash.MakeSeed(), slots: make([]int32, size), list: make([]name, 0, likely)}
}

// slot is where text is, or the free slot where it belongs.
func (n *names) slot(text string) int {
	mask := len(n.slots) - 1
	at := int(maphash.String(n.seed, text)) & mask
	for n.slots[at] != 0 && n.list[n.slots[at]-1].text != text {
		at = (at + 1) & mask
	}
	return at
}

// find gives the name, or nil.
func (n *names) find(text string) *name {
	if found := n.slots[n.slot(text)]; found != 0 {
		return &n.list[found-1]
	}
	return nil
}

// add gives the place of the name in the list.
func (n *names) add(text string) int32 {
	at := n.slot(text)
	if n.slots[at] == 0 {
		n.list = append(n.list, name{text: text})
		n.slots[at] = int32(len(n.list))
	}
	return n.slots[at] - 1
}
