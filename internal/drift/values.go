package drift

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// each goes through the names of two maps, sorted; what a map lacks is nil.
func each[T any](was, is map[string]T, do func(name string, was, is *T)) {
	names := maps.Clone(was)
	maps.Copy(names, is)
	of := func(all map[string]T, name string) *T {
		if value, ok := all[name]; ok {
			return &value
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		do(name, of(was, name), of(is, name))
	}
}

// equal reports whether two values of a kernel variable mean the same: the kernel
// writes numbers in its own way, and tabs between several.
func equal(declared, value string) bool {
	was, is := strings.Fields(declared), strings.Fields(value)
	return slices.EqualFunc(was, is, func(a, b string) bool {
		x, first := strconv.ParseInt(a, 0, 64)
		y, second := strconv.ParseInt(b, 0, 64)
		return a == b || first == nil && second == nil && x == y
	})
}
