package solve

import (
	"cmp"
	"slices"
)

// needed keeps of what the search installed the least that gives as much: see
// reachable and drop.
func (p *problem) needed(installed func(int32) bool) []bool {
	kept := p.reachable(installed)
	for {
		least := p.drop(kept)
		if least == nil {
			return kept
		}
		kept = least
	}
}

// drop finds a kept package that came by a relation which another one meets that
// is needed anyway, and which can go: everything that then remains has what it
// had. It gives what remains, or nil when every package is needed. What goes in
// favour of a package that no choice brought goes first, so that nothing goes in
// favour of what could go itself.
func (p *problem) drop(kept []bool) []bool {
	why := p.reasons(kept, nobody)
	spare := make([]bool, len(kept))
	for v, d := range why {
		spare[v] = d != nil && slices.ContainsFunc(d.choices, func(c int32) bool { return int(c) != v && kept[c] })
	}
	p.needOne(kept, spare, why)
	unchosen := p.unchosen(kept)
	var later []int32
	for v := range spare {
		if !spare[v] {
			continue
		}
		least := p.reachable(func(c int32) bool { return kept[c] && int(c) != v })
		if !p.gives(least, kept) {
			continue
		}
		if p.meets(least, int32(v), func(c int32) bool { return unchosen[c] }) {
			return least
		}
		later = append(later, int32(v))
	}
	for _, v := range later {
		least := p.reachable(func(c int32) bool { return kept[c] && c != v })
		why := p.reasons(least, v)
		if p.meets(least, v, func(c int32) bool { return why[c] != nil }) {
			return least
		}
	}
	return nil
}

// unchosen are the kept packages that are wished, and what relations bring
// that no other kept package meets.
func (p *problem) unchosen(kept []bool) []bool {
	n := need{problem: p, installed: func(c int32) bool { return kept[c] }, kept: make([]bool, len(kept))}
	for i := range p.wishes {
		n.take(&p.wishes[i])
	}
	n.follow()
	return n.kept
}

// meets reports whether all that v would meet is met in least by packages that
// are there anyway.
func (p *problem) meets(least []bool, v int32, anyway func(int32) bool) bool {
	for u, is := range least {
		for i := p.first[u]; is && i < p.first[u+1]; i++ {
			d := &p.demands[i]
			if slices.Contains(d.choices, v) && !slices.ContainsFunc(d.choices, func(c int32) bool {
				return least[c] && anyway(c)
			}) {
				return false
			}
		}
	}
	return true
}

// needOne takes from spare what a kept package needs that would be there all
// the same. It only saves trying.
func (p *problem) needOne(kept, spare []bool, why []*demand) {
	for u, is := range kept {
		for i := p.first[u]; is && i < p.first[u+1]; i++ {
			met, only := 0, int32(-1)
			for _, c := range p.demands[i].choices {
				if kept[c] {
					met, only = met+1, c
				}
			}
			if met == 1 && spare[only] && !cameBy(why, int32(u), only) {
				spare[only] = false
			}
		}
	}
}

// cameBy reports whether u's chain leads through v.
func cameBy(why []*demand, u, v int32) bool {
	for u >= 0 && u != v {
		u = why[u].owner
	}
	return u == v
}

// gives reports whether each wish, and each relation of a package in least, is
// met in least if it was met in kept.
func (p *problem) gives(least, kept []bool) bool {
	met := func(d *demand, in []bool) bool {
		return slices.ContainsFunc(d.choices, func(c int32) bool { return in[c] })
	}
	for i := range p.wishes {
		if d := &p.wishes[i]; met(d, kept) && !met(d, least) {
			return false
		}
	}
	for v, is := range least {
		for i := p.first[v]; is && i < p.first[v+1]; i++ {
			if d := &p.demands[i]; met(d, kept) && !met(d, least) {
				return false
			}
		}
	}
	return true
}

// reachable walks from the wishes through what is installed and keeps what
// it reaches, so that a choice which became needless is dropped. What only one
// installed package meets decides nothing and comes first, Recommends too; of
// several that meet a relation the best one counts, unless another is there
// already.
func (p *problem) reachable(installed func(int32) bool) []bool {
	n := need{problem: p, installed: installed, kept: make([]bool, len(p.vars))}
	for i := range p.wishes {
		n.take(&p.wishes[i])
	}
	for n.follow() || n.choose(&n.several) || n.choose(&n.recommended) {
	}
	return n.kept
}

type need struct {
	*problem
	installed func(int32) bool
	kept      []bool
	queue     []int32 // kept, in order; queue[:at] had their relations looked at
	at        int

	several, recommended later
}

// later are relations that several installed packages meet.
type later struct {
	demands []*demand
	at      int
}

// take keeps the best installed choice of a demand, unless one is kept.
func (n *need) take(d *demand) bool {
	best := int32(-1)
	for _, c := range d.choices {
		if n.kept[c] {
			return false
		}
		if best < 0 && n.installed(c) {
			best = c
		}
	}
	if best < 0 {
		return false
	}
	n.kept[best] = true
	n.queue = append(n.queue, best)
	return true
}

// follow keeps all that relations bring which only one installed package meets.
func (n *need) follow() bool {
	moved := n.at < len(n.queue)
	for ; n.at < len(n.queue); n.at++ {
		v := n.queue[n.at]
		for i := n.first[v]; i < n.first[v+1]; i++ {
			d := &n.demands[i]
			met := 0
			for _, c := range d.choices {
				if n.installed(c) {
					met++
				}
			}
			switch {
			case met == 1:
				n.take(d)
			case met > 1 && d.kind == Recommends:
				n.recommended.demands = append(n.recommended.demands, d)
			case met > 1:
				n.several.demands = append(n.several.demands, d)
			}
		}
	}
	return moved
}

// choose settles the first relation that still brings something.
func (n *need) choose(of *later) bool {
	for ; of.at < len(of.demands); of.at++ {
		if n.take(of.demands[of.at]) {
			return true
		}
	}
	return false
}

// nobody is no package.
const nobody int32 = -1

// reasons gives for each kept package the last step of the chain from a wish
// that has the fewest Recommends, and among these the fewest steps. Of several
// packages that meet a relation, the best one is there by it, but not in the place of
// one that is left and was better: what only does that, or is brought by it, has no
// reason.
func (p *problem) reasons(kept []bool, left int32) []*demand {
	why := make([]*demand, len(kept))
	var queue, soft []int32
	reach := func(d *demand, into *[]int32) {
		for _, c := range d.choices {
			if c == left {
				return
			}
			if kept[c] {
				if why[c] == nil {
					why[c] = d
					*into = append(*into, c)
				}
				return
			}
		}
	}
	for i := range p.wishes {
		reach(&p.wishes[i], &queue)
	}
	// Rounds of ever more Recommends: in each, all that dependencies reach.
	for len(queue) > 0 {
		begin := 0
		for ; begin < len(queue); begin++ {
			p.each(queue[begin], false, func(d *demand) { reach(d, &queue) })
		}
		soft = soft[:0]
		for _, v := range queue {
			p.each(v, true, func(d *demand) { reach(d, &soft) })
		}
		queue = append(queue[:0], soft...)
	}
	return why
}

// solution is what is kept, with reasons.
func (p *problem) solution(kept []bool) *Solution {
	var members []int32
	for v, is := range kept {
		if is {
			members = append(members, int32(v))
		}
	}
	slices.SortFunc(members, func(a, b int32) int {
		p, q := p.pkg(a), p.pkg(b)
		return cmp.Or(cmp.Compare(p.Name, q.Name), cmp.Compare(p.Architecture, q.Architecture))
	})
	why := p.reasons(kept, nobody)
	sol := &Solution{Packages: make([]Chosen, 0, len(members))}
	for _, v := range members {
		d := why[v]
		c := Chosen{Package: *p.pkg(v), Reason: d.reason()}
		if d.owner >= 0 {
			c.Reason.By = KeyOf(p.pkg(d.owner))
		}
		sol.Packages = append(sol.Packages, c)
	}
	return sol
}

// each calls yield for the demands of v: its Recommends, or all others.
func (p *problem) each(v int32, recommends bool, yield func(*demand)) {
	for i := p.first[v]; i < p.first[v+1]; i++ {
		if d := &p.demands[i]; (d.kind == Recommends) == recommends {
			yield(d)
		}
	}
}
