package solve

import (
	"slices"

	"stet/internal/debian"
)

// explain finds why the wishes cannot be met together. It narrows them to a
// smallest set that still fails and then walks from these, breadth first and
// always taking the best choice that is left, until something fails; since no
// choice succeeds, the walk must fail somewhere, and near the wishes first.
func (p *problem) explain() error {
	w := p.newWalk()
	for _, i := range p.core() {
		if err := w.meet(&p.wishes[i]); err != nil {
			return err
		}
	}
	for {
		err, moved := w.step()
		if err != nil {
			return err
		}
		if !moved {
			return ErrTooHard // only when the core search gave up
		}
	}
}

// core returns a smallest set of wishes (none can be left out) that cannot be
// met. It tries to drop the base before the named wishes.
func (p *problem) core() []int {
	core := make([]int, len(p.wishes))
	for i := range core {
		core[i] = len(core) - 1 - i
	}
	for size := (len(core) + 1) / 2; size >= 1; size /= 2 {
		for start := 0; start < len(core) && len(core) > 1; {
			rest := slices.Concat(core[:start], core[min(start+size, len(core)):])
			if len(rest) > 0 && newSearch(p, rest).run() == impossible {
				core = rest
			} else {
				start += size
			}
		}
	}
	slices.Sort(core)
	return core
}

// walk is a naive resolver that remembers why it took each package.
type walk struct {
	*problem
	why     []*demand
	queue   []int32
	at      int       // queue[:at] had their demands looked at
	several []*demand // demands with more than one choice, put off
	clashes map[int32][]*clash
}

func (p *problem) newWalk() *walk {
	w := &walk{problem: p, why: make([]*demand, len(p.vars)), clashes: map[int32][]*clash{}}
	for i := range p.clashes {
		c := &p.clashes[i]
		w.clashes[c.owner] = append(w.clashes[c.owner], c)
		w.clashes[c.other] = append(w.clashes[c.other], c)
	}
	return w
}

// step looks at the demands of one package, or takes one choice.
func (w *walk) step() (err error, moved bool) {
	if w.at < len(w.queue) {
		v := w.queue[w.at]
		w.at++
		for i := w.first[v]; i < w.first[v+1]; i++ {
			d := &w.demands[i]
			if d.kind == Recommends {
				continue
			}
			if len(d.choices) > 1 && w.left(d) > 1 {
				w.several = append(w.several, d)
			} else if err := w.meet(d); err != nil {
				return err, false
			}
		}
		return nil, true
	}
	if len(w.several) > 0 {
		d := w.several[0]
		w.several = w.several[1:]
		return w.meet(d), true
	}
	return nil, false
}

// left counts the choices of a demand that nothing taken rules out.
func (w *walk) left(d *demand) int {
	n := 0
	for _, c := range d.choices {
		if w.blocker(c) == nil {
			n++
		}
	}
	return n
}

// blocker is a clash between v and a package already taken, or nil.
func (w *walk) blocker(v int32) *clash {
	for _, c := range w.clashes[v] {
		if o := c.owner + c.other - v; w.why[o] != nil {
			return c
		}
	}
	return nil
}

// meet takes the best choice of d; without one left it says why.
func (w *walk) meet(d *demand) error {
	for _, c := range d.choices {
		if w.why[c] != nil {
			return nil
		}
	}
	for _, c := range d.choices {
		if w.blocker(c) == nil {
			w.why[c] = d
			w.queue = append(w.queue, c)
			return nil
		}
	}
	if len(d.choices) == 0 {
		return &DependencyError{
			Chain:    w.chain(d.owner),
			Kind:     d.kind,
			Relation: d.relation,
			Causes:   w.causes(d),
		}
	}
	v := d.choices[0]
	c := w.blocker(v)
	e := &ConflictError{Field: c.field, Relation: c.relation}
	mine := w.chainVia(d, v)
	other := w.chain(c.owner + c.other - v)
	if c.owner == v {
		e.Left, e.Right = mine, other
	} else {
		e.Left, e.Right = other, mine
	}
	return e
}

// chain is how the walk came to v.
func (w *walk) chain(v int32) Chain { return w.chainVia(w.why[v], v) }

// chainVia is how the walk would come to v by the demand d.
func (w *walk) chainVia(d *demand, v int32) Chain {
	var chain Chain
	for {
		r := d.reason()
		if d.owner >= 0 {
			r.By = KeyOf(w.pkg(d.owner))
		}
		chain = append(chain, Chosen{Package: *w.pkg(v), Reason: r})
		if d.owner < 0 {
			break
		}
		v = d.owner
		d = w.why[v]
	}
	slices.Reverse(chain)
	return chain
}

// causes says for each alternative of a demand without choices what is amiss.
func (w *walk) causes(d *demand) []Cause {
	owner := w.arch(w.vars[d.owner])
	causes := make([]Cause, len(d.relation))
	for i, r := range d.relation {
		causes[i] = w.cause(r, owner)
	}
	return causes
}

func (p *problem) cause(r debian.Relation, owner string) Cause {
	c := Cause{Relation: r}
	n := p.name(r.Name)
	if !n.known() {
		return c
	}
	p.eachSatisfier(&r, owner, func(q id, _ bool) {
		if who, is := p.excluded(q); is && !c.IsExcluded {
			c.IsExcluded, c.Excluded = true, who
		}
	})
	for _, q := range n.real {
		if p.archHolds(&r, owner, q, p.arch(q)) {
			c.Versions = append(c.Versions, p.packages[q].Version)
		} else {
			c.Arches = append(c.Arches, p.packages[q].Architecture)
		}
	}
	for _, q := range n.providers {
		text := p.packages[q.id].Name
		if q.as.Version != "" {
			text += " (as " + q.as.Version + ")"
		} else if r.Op != "" {
			text += " (without a version)"
		}
		c.Providers = append(c.Providers, text)
	}
	c.Versions, c.Arches, c.Providers = distinct(c.Versions), distinct(c.Arches), distinct(c.Providers)
	return c
}

// explainWant says why a wish has no choice.
func (p *problem) explainWant(w Want) *WantError {
	e := &WantError{Want: w}
	name, arch := p.splitName(w.Name)
	n := p.name(name)
	if !n.known() {
		e.Similar = p.similar(name)
		return e
	}
	for _, q := range n.real {
		switch {
		case p.arch(q) != arch:
			e.Arches = append(e.Arches, p.packages[q].Architecture)
		case w.Version != "" && p.packages[q].Version != w.Version:
			e.Versions = append(e.Versions, p.packages[q].Version)
		default:
			e.Excluded, e.IsExcluded = p.excluded(q)
		}
	}
	for _, q := range n.providers {
		e.Providers = append(e.Providers, p.packages[q.id].Name)
	}
	e.Versions, e.Arches, e.Providers = distinct(e.Versions), distinct(e.Arches), distinct(e.Providers)
	return e
}

// distinct keeps the first of equal words, in their order.
func distinct(words []string) []string {
	var out []string
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}
