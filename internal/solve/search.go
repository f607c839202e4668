package solve

// The search is a CDCL solver: unit propagation over two watched literals,
// first-UIP learning, backjumping. It differs from a general one in its
// decisions: it never guesses, it only takes the best remaining choice of a
// demand whose owner is installed, so whatever it installs has a reason, and
// packages that nothing asks for stay undecided, which means absent.

// lit is a package's number doubled; the low bit set means "not installed".
type lit int32

func pos(v int32) lit       { return lit(v << 1) }
func neg(v int32) lit       { return lit(v<<1 | 1) }
func (l lit) not() lit      { return l ^ 1 }
func (l lit) number() int32 { return int32(l >> 1) }

// maxConflicts bounds the search. The sets of the oracle test need a handful.
const maxConflicts = 10_000

type watch struct {
	clause int32
	other  lit // when true, the clause holds and need not be looked at
}

type search struct {
	*problem
	wishIndex []int // the wishes that this search must fulfil

	clauses [][]lit
	arena   []lit
	watches [][]watch

	value  []int8 // by literal: 1 true, -1 false, 0 undecided
	level  []int32
	reason []int32 // clause, or -1
	trail  []lit
	head   int // of the trail still to propagate
	levels []mark

	scan mark // demands of trail[:scan.hard] are met, and so on
	seen []bool
}

// mark remembers how far the demands of the trail were met at a decision.
type mark struct{ trail, wish, hard, soft int }

// outcome of a search.
type outcome uint8

const (
	solved outcome = iota
	impossible
	exhausted
)

// newSearch prepares the search for a subset of the wishes.
func newSearch(p *problem, wishIndex []int) *search {
	n := len(p.vars)
	s := &search{
		problem:   p,
		wishIndex: wishIndex,
		watches:   make([][]watch, 2*n),
		value:     make([]int8, 2*n),
		level:     make([]int32, n),
		reason:    make([]int32, n),
		seen:      make([]bool, n),
		clauses:   make([][]lit, 0, len(p.demands)+len(p.clashes)),
	}
	return s
}

// run searches; the answer is in s.value.
func (s *search) run() outcome {
	if !s.load() {
		return impossible
	}
	conflicts := 0
	for {
		if c := s.propagate(); c >= 0 {
			if len(s.levels) == 0 {
				return impossible
			}
			if conflicts++; conflicts > maxConflicts {
				return exhausted
			}
			s.learn(c)
			continue
		}
		next, open := s.next()
		if !open {
			return solved
		}
		s.scan.trail = len(s.trail)
		s.levels = append(s.levels, s.scan)
		s.assign(pos(next), -1)
	}
}

// load adds the clauses; it reports whether they can hold so far.
func (s *search) load() bool {
	size := 2 * len(s.clashes)
	for i := range s.demands {
		size += len(s.demands[i].choices) + 1
	}
	s.arena = make([]lit, 0, size)
	counts := make([]int32, 2*len(s.vars))
	for i := range s.demands {
		d := &s.demands[i]
		if d.kind == Recommends {
			continue
		}
		start := len(s.arena)
		s.arena = append(s.arena, neg(d.owner))
		for _, c := range d.choices {
			s.arena = append(s.arena, pos(c))
		}
		s.keep(s.arena[start:len(s.arena):len(s.arena)], counts)
	}
	for i := range s.clashes {
		start := len(s.arena)
		s.arena = append(s.arena, neg(s.clashes[i].owner), neg(s.clashes[i].other))
		s.keep(s.arena[start:len(s.arena):len(s.arena)], counts)
	}
	for _, i := range s.wishIndex {
		var clause []lit
		for _, c := range s.wishes[i].choices {
			clause = append(clause, pos(c))
		}
		s.keep(clause, counts)
	}
	total := 0
	for _, n := range counts {
		total += int(n)
	}
	room := make([]watch, total)
	for l, n := range counts {
		s.watches[l], room = room[:0:n], room[n:]
	}
	ok := true
	for i, c := range s.clauses {
		if len(c) >= 2 {
			s.watch(int32(i))
		}
	}
	for i, c := range s.clauses {
		if len(c) == 1 {
			ok = ok && s.value[c[0]] >= 0
			if s.value[c[0]] == 0 {
				s.assign(c[0], int32(i))
			}
		}
	}
	return ok
}

func (s *search) keep(clause []lit, counts []int32) {
	s.clauses = append(s.clauses, clause)
	if len(clause) >= 2 {
		counts[clause[0]]++
		counts[clause[1]]++
	}
}

func (s *search) watch(clause int32) {
	c := s.clauses[clause]
	s.watches[c[0]] = append(s.watches[c[0]], watch{clause, c[1]})
	s.watches[c[1]] = append(s.watches[c[1]], watch{clause, c[0]})
}

func (s *search) assign(l lit, reason int32) {
	s.value[l], s.value[l.not()] = 1, -1
	s.level[l.number()] = int32(len(s.levels))
	s.reason[l.number()] = reason
	s.trail = append(s.trail, l)
}

// propagate draws every forced conclusion. It returns a clause that fails, or
// -1.
func (s *search) propagate() int32 {
	for s.head < len(s.trail) {
		failed := s.trail[s.head].not()
		s.head++
		ws := s.watches[failed]
		kept := 0
		for i := 0; i < len(ws); i++ {
			w := ws[i]
			if s.value[w.other] > 0 {
				ws[kept] = w
				kept++
				continue
			}
			c := s.clauses[w.clause]
			if c[0] == failed {
				c[0], c[1] = c[1], c[0]
			}
			w.other = c[0]
			if s.value[c[0]] > 0 || !s.rewatch(c, w.clause) {
				ws[kept] = w
				kept++
				if s.value[c[0]] > 0 {
					continue
				}
				if s.value[c[0]] < 0 {
					kept += copy(ws[kept:], ws[i+1:])
					s.watches[failed] = ws[:kept]
					return w.clause
				}
				s.assign(c[0], w.clause)
			}
		}
		s.watches[failed] = ws[:kept]
	}
	return -1
}

// rewatch moves the watch on c[1], which failed, to a literal that did not.
func (s *search) rewatch(c []lit, clause int32) bool {
	for k := 2; k < len(c); k++ {
		if s.value[c[k]] >= 0 {
			c[1], c[k] = c[k], c[1]
			s.watches[c[1]] = append(s.watches[c[1]], watch{clause, c[0]})
			return true
		}
	}
	return false
}

// learn derives from a failed clause the first unique implication point, goes
// back to where the derived clause decides, and applies it.
func (s *search) learn(failed int32) {
	current := int32(len(s.levels))
	learned := []lit{0}
	var touched []int32
	open, back := 0, int32(0)
	clause, at := s.clauses[failed], len(s.trail)-1
	var point lit = -1
	for {
		for _, l := range clause {
			v := l.number()
			if l == point || s.seen[v] || s.level[v] == 0 {
				continue
			}
			s.seen[v] = true
			touched = append(touched, v)
			if s.level[v] == current {
				open++
				continue
			}
			learned = append(learned, l)
			if s.level[v] > back {
				back = s.level[v]
				last := len(learned) - 1
				learned[1], learned[last] = learned[last], learned[1]
			}
		}
		for !s.seen[s.trail[at].number()] {
			at--
		}
		point = s.trail[at]
		at--
		if open--; open == 0 {
			break
		}
		clause = s.clauses[s.reason[point.number()]]
	}
	for _, v := range touched {
		s.seen[v] = false
	}
	learned[0] = point.not()
	s.backtrack(back)
	ref := int32(len(s.clauses))
	s.clauses = append(s.clauses, learned)
	if len(learned) > 1 {
		s.watch(ref)
	}
	s.assign(learned[0], ref)
}

// backtrack undoes every decision above level.
func (s *search) backtrack(level int32) {
	if int(level) >= len(s.levels) {
		return
	}
	s.scan = s.levels[level]
	for _, l := range s.trail[s.scan.trail:] {
		s.value[l], s.value[l.not()] = 0, 0
	}
	s.trail = s.trail[:s.scan.trail]
	s.levels = s.levels[:level]
	s.head = len(s.trail)
}

// next finds the first demand that is still open, wishes first, then what
// packages depend on, then what they recommend, each in the order in which
// things were decided. It returns the best choice that is left.
func (s *search) next() (int32, bool) {
	for ; s.scan.wish < len(s.wishIndex); s.scan.wish++ {
		if c, open := s.open(&s.wishes[s.wishIndex[s.scan.wish]]); open {
			return c, true
		}
	}
	for ; s.scan.hard < len(s.trail); s.scan.hard++ {
		if c, open := s.openOf(s.trail[s.scan.hard], false); open {
			return c, true
		}
	}
	for ; s.scan.soft < len(s.trail); s.scan.soft++ {
		if c, open := s.openOf(s.trail[s.scan.soft], true); open {
			return c, true
		}
	}
	return 0, false
}

func (s *search) openOf(l lit, soft bool) (int32, bool) {
	if l&1 != 0 {
		return 0, false
	}
	v := l.number()
	for i := s.first[v]; i < s.first[v+1]; i++ {
		if (s.demands[i].kind == Recommends) == soft {
			if c, open := s.open(&s.demands[i]); open {
				return c, true
			}
		}
	}
	return 0, false
}

// open returns the best choice left of a demand that does not hold yet.
func (s *search) open(d *demand) (best int32, open bool) {
	best = -1
	for _, c := range d.choices {
		switch v := s.value[pos(c)]; {
		case v > 0:
			return 0, false
		case v == 0 && best < 0:
			best = c
		}
	}
	return best, best >= 0
}

func (s *search) installed(v int32) bool { return s.value[pos(v)] > 0 }
