package solve

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stet/internal/debian"
)

func installed(s *Solution) []debian.Package {
	var pkgs []debian.Package
	for _, c := range s.Packages {
		pkgs = append(pkgs, c.Package)
	}
	return pkgs
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// archOf and meets are the rules once more, written plainly: what Policy says
// about one package and one relation, without the solver's index.
func archOf(p *debian.Package, native string) string {
	if p.Architecture == "all" {
		return native
	}
	return p.Architecture
}

func meets(r debian.Relation, owner, q *debian.Package, native string, negative bool) bool {
	arch := archOf(q, native) == archOf(owner, native) || q.MultiArch == "foreign"
	switch {
	case negative && r.Arch == "":
		arch = true
	case r.Arch == "any":
		arch = negative || q.MultiArch == "allowed"
	case r.Arch != "":
		arch = archOf(q, native) == r.Arch
	}
	if !arch {
		return false
	}
	if r.Name == q.Name && r.Satisfied(q.Version) {
		return true
	}
	for _, alternatives := range q.Provides {
		for _, p := range alternatives {
			if p.Name == r.Name && r.Satisfied(p.Version) {
				return true
			}
		}
	}
	return false
}

// checkSolution checks that a solution fulfils its request, that every relation
// of its members holds, and that each member has a reason that leads to a wish.
func checkSolution(t failer, s *Solution, req Request) {
	t.Helper()
	byName := map[string][]*debian.Package{} // also by provided name
	for i := range s.Packages {
		p := &s.Packages[i].Package
		byName[p.Name] = append(byName[p.Name], p)
		for _, alternatives := range p.Provides {
			for _, r := range alternatives {
				if r.Name != p.Name {
					byName[r.Name] = append(byName[r.Name], p)
				}
			}
		}
	}
	for _, w := range req.Wants {
		name, arch, _ := strings.Cut(w.Name, ":")
		if arch == "" {
			arch = req.Architecture
		}
		if !slices.ContainsFunc(byName[name], func(p *debian.Package) bool {
			return p.Name == name && archOf(p, req.Architecture) == arch && (w.Version == "" || w.Version == p.Version)
		}) {
			t.Fatalf("wish %v is not fulfilled", w)
		}
	}
	for i := range s.Packages {
		p := &s.Packages[i].Package
		for _, alternatives := range slices.Concat(p.PreDepends, p.Depends) {
			if !slices.ContainsFunc(alternatives, func(r debian.Relation) bool {
				return slices.ContainsFunc(byName[r.Name], func(q *debian.Package) bool {
					return meets(r, p, q, req.Architecture, false)
				})
			}) {
				t.Fatalf("%s: %v does not hold", label(p), alternatives)
			}
		}
		for _, alternatives := range slices.Concat(p.Conflicts, p.Breaks) {
			for _, r := range alternatives {
				for _, q := range byName[r.Name] {
					if q.Name != p.Name && meets(r, p, q, req.Architecture, true) {
						t.Fatalf("%s: conflict %v is hit by %s", label(p), r, label(q))
					}
				}
			}
		}
		for _, q := range byName[p.Name] {
			if q != p && q.Name == p.Name && (p.MultiArch != "same" || q.MultiArch != "same" || p.Version != q.Version || p.Architecture == q.Architecture) {
				t.Fatalf("%s and %s are both there", qualifiedLabel(p), qualifiedLabel(q))
			}
		}
		if req.Exclude[p.Name] != "" {
			t.Fatalf("%s is excluded", p.Name)
		}
		chain := s.Chain(KeyOf(p))
		if len(chain) == 0 || chain[0].Reason.Kind > Priority || len(chain) > len(s.Packages) {
			t.Fatalf("%s has no reason: %v", label(p), chain)
		}
		for j := 1; j < len(chain); j++ {
			if by, r := &chain[j-1].Package, chain[j].Reason; !slices.ContainsFunc(r.Relation, func(rel debian.Relation) bool {
				return meets(rel, by, &chain[j].Package, req.Architecture, false)
			}) {
				t.Fatalf("%s: the reason %v of %s does not name it", label(p), r, label(&chain[j].Package))
			}
		}
	}
}

// drawUniverse draws up to a dozen names with versions, architectures and
// relations between them, dense enough for conflicts and dead ends.
func drawUniverse(t *rapid.T) []*debian.Package {
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "v", "w"}
	relation := rapid.Custom(func(t *rapid.T) debian.Relation {
		r := debian.Relation{Name: rapid.SampledFrom(names).Draw(t, "name")}
		if rapid.IntRange(0, 3).Draw(t, "versioned") == 0 {
			r.Op = rapid.SampledFrom([]string{"<<", "<=", "=", ">=", ">>"}).Draw(t, "op")
			r.Version = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "version")
		}
		if rapid.IntRange(0, 7).Draw(t, "qualified") == 0 {
			r.Arch = rapid.SampledFrom([]string{"any", "i386", "amd64"}).Draw(t, "arch")
		}
		return r
	})
	relations := func(most, width int, label string) debian.Relations {
		var rs debian.Relations
		for range rapid.IntRange(0, most).Draw(t, label) {
			rs = append(rs, rapid.SliceOfN(relation, 1, width).Draw(t, "alternatives"))
		}
		return rs
	}
	var pkgs []*debian.Package
	for _, name := range names[:8] {
		for _, version := range []string{"1", "2"} {
			for _, arch := range []string{"amd64", "i386"} {
				if rapid.IntRange(0, 2).Draw(t, "there") == 0 {
					continue
				}
				p := &debian.Package{Name: name, Version: version, Architecture: arch, Filename: name + version + arch}
				p.MultiArch = rapid.SampledFrom([]string{"", "same", "foreign", "allowed"}).Draw(t, "multi-arch")
				p.Priority = rapid.SampledFrom([]string{"optional", "important"}).Draw(t, "priority")
				p.Essential = rapid.IntRange(0, 15).Draw(t, "essential") == 0
				p.Depends = relations(2, 3, "depends")
				p.PreDepends = relations(1, 2, "pre-depends")
				p.Recommends = relations(1, 2, "recommends")
				p.Conflicts = relations(1, 1, "conflicts")
				p.Breaks = relations(1, 1, "breaks")
				if rapid.Bool().Draw(t, "provides") {
					r := debian.Relation{Name: rapid.SampledFrom([]string{"v", "w", "a"}).Draw(t, "provided")}
					if rapid.Bool().Draw(t, "provided version") {
						r.Op, r.Version = "=", rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")
					}
					p.Provides = debian.Relations{{r}}
				}
				pkgs = append(pkgs, p)
			}
		}
	}
	return pkgs
}

// bruteForce reports whether any set fulfils the request.
func isPossible(pkgs []*debian.Package, req Request) bool {
	native := req.Architecture
	var chosen []*debian.Package
	compatible := func(p *debian.Package) bool {
		if req.Exclude[p.Name] != "" {
			return false
		}
		hits := func(p, q *debian.Package) bool {
			for _, alternatives := range slices.Concat(p.Conflicts, p.Breaks) {
				if p.Name != q.Name && meets(alternatives[0], p, q, native, true) {
					return true
				}
			}
			return false
		}
		for _, q := range chosen {
			if q.Name == p.Name && (p.MultiArch != "same" || q.MultiArch != "same" || p.Version != q.Version || p.Architecture == q.Architecture) ||
				hits(p, q) || hits(q, p) {
				return false
			}
		}
		return true
	}
	steps := 0
	var settle func() bool
	branch := func(fits func(*debian.Package) bool) bool {
		for _, q := range pkgs {
			if fits(q) && compatible(q) {
				chosen = append(chosen, q)
				if settle() {
					return true
				}
				chosen = chosen[:len(chosen)-1]
			}
		}
		return false
	}
	settle = func() bool {
		if steps++; steps > 1_000_000 {
			panic("brute force is lost")
		}
		for _, w := range req.Wants {
			name, arch, _ := strings.Cut(w.Name, ":")
			fits := func(q *debian.Package) bool { return q.Name == name && q.Architecture == cmp.Or(arch, native) }
			if !slices.ContainsFunc(chosen, fits) {
				return branch(fits)
			}
		}
		for _, p := range chosen {
			for _, alternatives := range slices.Concat(p.PreDepends, p.Depends) {
				fits := func(q *debian.Package) bool {
					return slices.ContainsFunc(alternatives, func(r debian.Relation) bool { return meets(r, p, q, native, false) })
				}
				if !slices.ContainsFunc(chosen, fits) {
					return branch(fits)
				}
			}
		}
		return true
	}
	return settle()
}

func TestSolutionsHold(t *testing.T) {
	solvedSome, refusedSome := false, false
	rapid.Check(t, func(t *rapid.T) {
		pkgs := drawUniverse(t)
		req := Request{Architecture: "amd64", Recommends: rapid.Bool().Draw(t, "recommends")}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "a:i386", "f:i386"}), 1, 3, rapid.ID).Draw(t, "wants") {
			req.Wants = append(req.Wants, Want{Name: name, Because: "hello"})
		}
		if rapid.IntRange(0, 3).Draw(t, "exclude") == 0 {
			req.Exclude = map[string]string{"h": "hello"}
		}
		if rapid.IntRange(0, 3).Draw(t, "recommends of one") == 0 {
			req.RecommendsOf = map[string]bool{"a": rapid.Bool().Draw(t, "of a"), "b:i386": rapid.Bool().Draw(t, "of b")}
		}
		got, err := Solve(NewUniverse(Group{Catalogs: catalogs(pkgs)}), req)
		circle := (*CircleError)(nil) // the set is possible, and no order to unpack it in is
		if possible := isPossible(pkgs, req); possible != (err == nil || errors.As(err, &circle)) {
			t.Fatalf("possible: %v, but: %v", possible, err)
		}
		if err == ErrTooHard {
			t.Fatalf("gave up")
		}

		shuffled := rapid.Permutation(pkgs).Draw(t, "shuffled")
		again := req
		again.Wants = rapid.Permutation(req.Wants).Draw(t, "shuffled wants")
		got2, err2 := Solve(NewUniverse(Group{Catalogs: catalogs(shuffled)}), again)
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("the order of the input matters:\n%v\n%v", err, err2)
		}
		if err != nil {
			refusedSome = true
			return
		}
		solvedSome = true
		checkSolution(t, got, req)
		if !reflect.DeepEqual(got, got2) {
			t.Fatalf("the order of the input matters:\n%s\n%s", keys(got, true), keys(got2, true))
		}
		checkOrder(t, installed(got))
	})
	if !solvedSome || !refusedSome {
		t.Errorf("the drawn universes are too simple: solved %v, refused %v", solvedSome, refusedSome)
	}
}

// checkOrder checks that the order is a permutation that does not depend on its
// input's, that only members of cycles come before what they
// need, and before a Pre-Depends only those of a cycle of Pre-Depends.
func checkOrder(t failer, pkgs []debian.Package) {
	t.Helper()
	checkOneOrder(t, pkgs, ConfigureOrder)
	for _, seed := range []uint64{1, 2} {
		checkOneOrder(t, pkgs, func(pkgs []debian.Package) []debian.Package { return ShuffledOrder(pkgs, seed) })
	}
}

func checkOneOrder(t failer, pkgs []debian.Package, orderOf func([]debian.Package) []debian.Package) {
	t.Helper()
	order := orderOf(pkgs)
	reversed := slices.Clone(pkgs)
	slices.Reverse(reversed)
	if !reflect.DeepEqual(order, orderOf(reversed)) {
		t.Fatalf("the order depends on its input's")
	}
	if len(order) != len(pkgs) {
		t.Fatalf("%d packages became %d", len(pkgs), len(order))
	}
	at := map[Key]int{}
	for i := range order {
		at[KeyOf(&order[i])] = i
	}
	g := newGraph(pkgs)
	for n := range g.pkgs {
		for _, m := range slices.Concat(g.pre[n], g.dep[n]) {
			if at[KeyOf(g.pkgs[m])] < at[KeyOf(g.pkgs[n])] {
				continue
			}
			if slices.Contains(g.pre[n], m) && !onPreDependsCycle(g, int32(n), m) {
				t.Fatalf("%s comes before its Pre-Depends %s", label(g.pkgs[n]), label(g.pkgs[m]))
			}
			back := g.closure([]int32{m})
			if !back[n] {
				t.Fatalf("%s comes before %s, which it needs", label(g.pkgs[n]), label(g.pkgs[m]))
			}
		}
	}
}

func onPreDependsCycle(g *graph, n, m int32) bool {
	seen := map[int32]bool{}
	queue := []int32{m}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at == n {
			return true
		}
		if !seen[at] {
			seen[at] = true
			queue = append(queue, g.pre[at]...)
		}
	}
	return false
}
