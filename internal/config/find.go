package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
)

// Find gives the paths of a machine that a word may mean: a file by its path, a
// unit, user, group, package, sysctl by its name, a port by its number, or the
// path of any option.
func (c *Configuration) Find(machine, word string) []string {
	e := c.evaluation(machine)
	if e == nil || word == "" {
		return nil
	}
	var found []string
	top := members(e.joined)
	for _, name := range top {
		v := lookup(e.joined, []string{name})
		if isOpen, ok := optionOf(e.language.machine, name); !ok || !hasMembers(isOpen) {
			continue
		}
		if lookup(v, []string{word}).Exists() {
			found = append(found, PathOf([]string{name, word}))
		}
	}
	if lookup(e.joined, []string{"kernel", "parameters", word}).Exists() {
		found = append(found, PathOf([]string{"kernel", "parameters", word}))
	}
	if port, protocol, ok := ParsePort(word); ok {
		found = append(found, e.ports(port, protocol)...)
	}
	if len(found) == 0 {
		if elements, _ := e.resolve(word); elements != nil {
			found = append(found, PathOf(elements))
		}
	}
	return found
}

func hasMembers(v cue.Value) bool {
	_, open := memberOf(v)
	return open
}

// ParsePort reads a port as people write it: 80, :80, 80/tcp. The protocol is empty
// where none is said.
func ParsePort(word string) (port uint16, protocol string, ok bool) {
	number, protocol, said := strings.Cut(strings.TrimPrefix(word, ":"), "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || said && protocol != "tcp" && protocol != "udp" {
		return 0, "", false
	}
	return uint16(n), protocol, true
}

// portBlocks are the options below which a port is one of this machine's own.
var portBlocks = []string{"services", "firewall"}

// ports are the options whose type is a port, and that have this one: those of
// services, and of the firewall the ranges, too, that it is in.
func (e *evaluation) ports(port uint16, protocol string) []string {
	found := map[string]bool{}
	var walk func(v, of cue.Value, path []string)
	walk = func(v, of cue.Value, path []string) {
		if isPort(of) {
			if hasPort(v, port) {
				found[PathOf(path)] = true
			}
			return
		}
		for _, name := range members(v) {
			if (name == "tcp" || name == "udp") && protocol != "" && name != protocol {
				continue
			}
			inner, ok := optionOf(of, name)
			if v.IncompleteKind() == cue.ListKind {
				inner, ok = item(of)
			}
			if ok {
				walk(lookup(v, []string{name}), inner, append(path[:len(path):len(path)], name))
			}
		}
	}
	for _, block := range portBlocks {
		if of, ok := optionOf(e.language.machine, block); ok {
			walk(lookup(e.joined, []string{block}), of, []string{block})
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// hasPort says whether a value is a port, or a range that it is in.
func hasPort(v cue.Value, port uint16) bool {
	if n, err := v.Int64(); err == nil {
		return n == int64(port)
	}
	text, _ := v.String()
	from, to, _ := strings.Cut(text, "-")
	first, err := strconv.ParseUint(from, 10, 16)
	last, lastErr := strconv.ParseUint(to, 10, 16)
	return err == nil && lastErr == nil && first <= uint64(port) && uint64(port) <= last
}

// isPort says whether an option's type is a port, such as #Port, or has one in it.
func isPort(v cue.Value) bool {
	if _, path := v.ReferencePath(); strings.HasSuffix(path.String(), "Port") {
		return true
	}
	op, parts := v.Expr()
	return (op == cue.OrOp || op == cue.AndOp) && slices.ContainsFunc(parts, isPort)
}
