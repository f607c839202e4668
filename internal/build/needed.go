package build

import (
	"slices"

	"stet/internal/debian"
)

// Named are the packages that a name stands for: the one that is called so, else
// those that provide it, sorted.
func (i *Installed) Named(name string) []string {
	if i.Has(name) {
		return []string{name}
	}
	return i.provided()[name]
}

// provided has for each name, of a package or virtual, the packages that fulfil it.
func (i *Installed) provided() map[string][]string {
	provided := map[string][]string{}
	for name, p := range i.packages {
		provided[name] = append(provided[name], name)
		for _, alternatives := range p.Provides {
			for _, virtual := range alternatives {
				provided[virtual.Name] = append(provided[virtual.Name], name)
			}
		}
	}
	return sortedAll(provided)
}

// needs has for each package those that need it by one of some relations.
func (i *Installed) needs(relations func(debian.Package) []debian.Relations) map[string][]string {
	needs := map[string][]string{}
	provided := i.provided()
	for name, p := range i.packages {
		for _, of := range relations(p) {
			for _, alternatives := range of {
				for _, r := range alternatives {
					for _, fulfils := range provided[r.Name] {
						needs[fulfils] = append(needs[fulfils], name)
					}
				}
			}
		}
	}
	return sortedAll(needs)
}

func sortedAll(lists map[string][]string) map[string][]string {
	for name, list := range lists {
		slices.Sort(list)
		lists[name] = slices.Compact(list)
	}
	return lists
}

// Needing are the packages that would not work without another, as their
// Pre-Depends and Depends say, sorted. A package does not need itself.
func (i *Installed) Needing(name string) []string {
	by := i.needs(func(p debian.Package) []debian.Relations { return []debian.Relations{p.PreDepends, p.Depends} })[name]
	return slices.DeleteFunc(by, func(other string) bool { return other == name })
}

// Chain is the shortest way of dependencies from a package that is wanted by
// itself to another, both included; nil when nothing leads there.
func (i *Installed) Chain(to string, wanted func(name string) bool) []string {
	needs := i.needs(func(p debian.Package) []debian.Relations {
		return []debian.Relations{p.PreDepends, p.Depends, p.Recommends}
	})
	before := map[string]string{to: ""}
	for queue := []string{to}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if wanted(name) {
			var chain []string
			for ; name != ""; name = before[name] {
				chain = append(chain, name)
			}
			return chain
		}
		for _, next := range needs[name] {
			if _, seen := before[next]; !seen {
				before[next] = name
				queue = append(queue, next)
			}
		}
	}
	return nil
}
