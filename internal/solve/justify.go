package solve

import (
	"cmp"
	"slices"
)

// needed walks from the wishes through what the search installed and keeps what
// it reaches, so that a choice which became needless is dropped. What only one
// installed package meets decides nothing and comes first, Recommends too; of
// several that meet a relation the best one counts, unless another is there
// already.
func (p *problem) needed(installed func(int32) bool) []bool {
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

// solution gives each kept package its reason: the last step of the chain from a
// wish that has the fewest Recommends, and among these the fewest steps. Of
// several packages that meet a relation, the best one is there by it.
func (p *problem) solution(kept []bool) *Solution {
	why := make([]*demand, len(kept))
	var queue, soft []int32
	reach := func(d *demand, into *[]int32) {
		for _, c := range d.choices {
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
	sol := &Solution{}
	for v, is := range kept {
		if !is {
			continue
		}
		d := why[v]
		c := Chosen{Package: *p.pkg(int32(v)), Reason: Reason{Kind: d.kind, Because: d.because, Relation: d.relation}}
		if d.owner >= 0 {
			c.Reason.By = KeyOf(p.pkg(d.owner))
		}
		sol.Packages = append(sol.Packages, c)
	}
	slices.SortFunc(sol.Packages, func(a, b Chosen) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture))
	})
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
