package solve

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// ConfigureOrder sorts an installed set so that what a package depends on comes
// before it. Essential packages and what they need come as early as possible;
// apart from that, names decide. The order of pkgs does not matter.
//
// In a cycle some package must be configured before what it depends on, as
// dpkg does it: the one of the cycle with the fewest open dependencies. Only
// Depends are broken so, never Pre-Depends (unless these form a cycle
// themselves, which Debian Policy 7.2 forbids).
func ConfigureOrder(pkgs []debian.Package) []debian.Package {
	return newGraph(pkgs).configureOrder()
}

// ShuffledOrder is ConfigureOrder with chance in the place of the names: another
// order that dependencies allow as well. The same seed gives the same order.
func ShuffledOrder(pkgs []debian.Package, seed uint64) []debian.Package {
	g := newGraph(pkgs)
	g.rank = make([]uint64, len(g.pkgs))
	for i, p := range g.pkgs {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s %s", seed, p.Name, p.Architecture)
		g.rank[i] = h.Sum64()
	}
	return g.configureOrder()
}

func (g *graph) configureOrder() []debian.Package {
	base := g.closure(g.those(func(p *debian.Package) bool { return p.Essential }))
	g.less = func(a, b int32) int {
		return cmp.Or(first(base[a], base[b]), g.compare(a, b))
	}
	all := make([]int32, len(g.pkgs))
	for i := range all {
		all[i] = int32(i)
	}
	order := g.order(all)
	out := make([]debian.Package, len(order))
	for i, n := range order {
		out[i] = *g.pkgs[n]
	}
	return out
}

// Closure returns the packages of an installed set that are roots, and all that
// these depend on within the set, sorted by name and architecture. Where
// several members meet a dependency, the one counts that Solve would choose.
func Closure(pkgs []debian.Package, isRoot func(*debian.Package) bool) []debian.Package {
	g := newGraph(pkgs)
	var out []debian.Package
	for i, in := range g.closure(g.those(isRoot)) {
		if in {
			out = append(out, *g.pkgs[i])
		}
	}
	return out
}

// Closures gives each package of an installed set with what [Closure] gives of it
// alone, sorted in the same way.
func Closures(pkgs []debian.Package) iter.Seq2[*debian.Package, []*debian.Package] {
	g := newGraph(pkgs)
	return func(yield func(*debian.Package, []*debian.Package) bool) {
		for root := range g.pkgs {
			var closure []*debian.Package
			for i, in := range g.closure([]int32{int32(root)}) {
				if in {
					closure = append(closure, g.pkgs[i])
				}
			}
			if !yield(g.pkgs[root], closure) {
				return
			}
		}
	}
}

// graph has the packages of a set, sorted by name, and for each what it needs.
type graph struct {
	pkgs []*debian.Package
	pre  [][]int32 // Pre-Depends
	dep  [][]int32 // Depends, without those that are in pre
	less func(a, b int32) int
	rank []uint64 // comes before the name, where there is one
}

func (g *graph) compare(a, b int32) int {
	if g.rank != nil && g.rank[a] != g.rank[b] {
		return cmp.Compare(g.rank[a], g.rank[b])
	}
	return int(a) - int(b)
}

func newGraph(pkgs []debian.Package) *graph {
	sorted := make([]*debian.Package, len(pkgs))
	for i := range pkgs {
		sorted[i] = &pkgs[i]
	}
	slices.SortFunc(sorted, func(a, b *debian.Package) int {
		return cmp.Or(
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.SHA256, b.SHA256),
			cmp.Compare(a.Filename, b.Filename),
		)
	})
	v := newView(NewUniverse(Group{Catalogs: []*catalog.Catalog{catalog.New(sorted)}}), nativeOf(sorted))
	for _, p := range sorted {
		v.called(p.Name) // so that ids are places in sorted
	}
	g := &graph{
		pkgs: make([]*debian.Package, len(v.packages)),
		pre:  make([][]int32, len(v.packages)),
		dep:  make([][]int32, len(v.packages)),
	}
	for i, m := range v.packages {
		g.pkgs[i] = m.Package
		g.pre[i] = v.needs(id(i), m.PreDepends, nil)
		g.dep[i] = v.needs(id(i), m.Depends, g.pre[i])
	}
	return g
}

// needs lists the members that meet relations of p, except p and those in had.
func (v *view) needs(p id, relations debian.Relations, had []int32) []int32 {
	var out []int32
	for _, alternatives := range relations {
		ids := v.choices(alternatives, v.arch(p), nil)
		if len(ids) == 0 || slices.Contains(ids, p) {
			continue
		}
		if n := int32(ids[0]); !slices.Contains(out, n) && !slices.Contains(had, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// nativeOf guesses the native architecture of a set: that of its Essential
// packages, else the most common one.
func nativeOf(pkgs []*debian.Package) string {
	votes := map[string]int{}
	best := ""
	for i := range pkgs {
		a := pkgs[i].Architecture
		if a == "all" {
			continue
		}
		votes[a]++
		if pkgs[i].Essential {
			votes[a] += len(pkgs)
		}
		if n := votes[a] - votes[best]; best == "" || n > 0 || n == 0 && a < best {
			best = a
		}
	}
	return best
}

// those gives the packages that are something.
func (g *graph) those(is func(*debian.Package) bool) (all []int32) {
	for i, p := range g.pkgs {
		if is(p) {
			all = append(all, int32(i))
		}
	}
	return all
}

// closure marks the roots and what they need.
func (g *graph) closure(roots []int32) []bool {
	in := make([]bool, len(g.pkgs))
	var queue []int32
	add := func(n int32) {
		if !in[n] {
			in[n] = true
			queue = append(queue, n)
		}
	}
	for _, n := range roots {
		add(n)
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, m := range g.pre[n] {
			add(m)
		}
		for _, m := range g.dep[n] {
			add(m)
		}
	}
	return in
}

// order sorts some nodes: cycles first become one node each, then the node that
// comes first of those whose needs are met is next.
func (g *graph) order(nodes []int32) []int32 {
	components := g.components(nodes)
	of := make(map[int32]int, len(nodes))
	for i, c := range components {
		for _, n := range c {
			of[n] = i
		}
	}
	waits := make([]int, len(components))
	wakes := make([][]int, len(components))
	for i, c := range components {
		for _, n := range c {
			for _, edges := range [][]int32{g.pre[n], g.dep[n]} {
				for _, m := range edges {
					if j, inside := of[m]; inside && j != i {
						waits[i]++
						wakes[j] = append(wakes[j], i)
					}
				}
			}
		}
	}
	ready := &readyHeap{less: func(a, b int) bool { return g.less(components[a][0], components[b][0]) < 0 }}
	for i := range components {
		if waits[i] == 0 {
			heap.Push(ready, i)
		}
	}
	out := make([]int32, 0, len(nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		out = append(out, g.untangle(components[i])...)
		for _, j := range wakes[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	return out
}

// untangle orders a cycle by ignoring the Depends of one of its members.
func (g *graph) untangle(cycle []int32) []int32 {
	if len(cycle) == 1 {
		return cycle
	}
	inside := func(edges []int32) int {
		n := 0
		for _, m := range edges {
			if slices.Contains(cycle, m) {
				n++
			}
		}
		return n
	}
	victim := slices.MinFunc(cycle, func(a, b int32) int {
		return cmp.Or(
			first(inside(g.pre[a]) == 0, inside(g.pre[b]) == 0),
			first(inside(g.dep[a]) > 0, inside(g.dep[b]) > 0),
			cmp.Compare(inside(g.dep[a]), inside(g.dep[b])),
			g.less(a, b),
		)
	})
	outside := func(m int32) bool { return !slices.Contains(cycle, m) }
	keep := func(edges []int32) []int32 {
		var kept []int32
		for _, m := range edges {
			if outside(m) {
				kept = append(kept, m)
			}
		}
		return kept
	}
	if inside(g.dep[victim]) > 0 {
		g.dep[victim] = keep(g.dep[victim])
	} else {
		g.pre[victim] = keep(g.pre[victim])
	}
	return g.order(cycle)
}

// components are the strongly connected components (Tarjan), each sorted.
func (g *graph) components(nodes []int32) [][]int32 {
	inside := make(map[int32]bool, len(nodes))
	for _, n := range nodes {
		inside[n] = true
	}
	index, low := map[int32]int{}, map[int32]int{}
	onStack := map[int32]bool{}
	var stack []int32
	var out [][]int32
	var visit func(n int32)
	visit = func(n int32) {
		index[n] = len(index) + 1
		low[n] = index[n]
		stack = append(stack, n)
		onStack[n] = true
		for _, edges := range [][]int32{g.pre[n], g.dep[n]} {
			for _, m := range edges {
				switch {
				case !inside[m]:
				case index[m] == 0:
					visit(m)
					low[n] = min(low[n], low[m])
				case onStack[m]:
					low[n] = min(low[n], index[m])
				}
			}
		}
		if low[n] != index[n] {
			return
		}
		at := slices.Index(stack, n)
		component := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, m := range component {
			onStack[m] = false
		}
		slices.SortFunc(component, g.less)
		out = append(out, component)
	}
	for _, n := range nodes {
		if index[n] == 0 {
			visit(n)
		}
	}
	return out
}

// readyHeap holds the components whose needs are met.
type readyHeap struct {
	items []int
	less  func(a, b int) bool
}

func (h *readyHeap) Len() int           { return len(h.items) }
func (h *readyHeap) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }
func (h *readyHeap) Swap(i, j int)      { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *readyHeap) Push(x any)         { h.items = append(h.items, x.(int)) }
func (h *readyHeap) Pop() any {
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return last
}
