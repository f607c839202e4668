package tree

import (
	"bytes"
	"fmt"
	"path"
)

// Part reads of a dump what is at some places and below them, with the directories
// that lead there. A place that the tree does not have is no error. The dump must
// be one that [Tree.Dump] wrote: the rest of it is passed over, and not read.
func Part(dump []byte, places ...string) (*Tree, error) {
	on := map[string]bool{"/": true} // escaped paths of places, and of what leads there
	var below [][]byte
	for _, place := range places {
		place = path.Clean("/" + place)
		for dir := place; dir != "/"; dir = path.Dir(dir) {
			on[string(appendEscaped(nil, dir, false))] = true
		}
		if place != "/" {
			place += "/"
		}
		below = append(below, appendEscaped(nil, place, false))
	}
	var entries []Entry
	for number := 1; len(dump) > 0; number++ {
		var line []byte
		line, dump, _ = bytes.Cut(dump, []byte("\n"))
		end := max(bytes.IndexByte(line, ' '), 0)
		if !on[string(line[:end])] && !hasPrefix(line[:end], below) {
			continue
		}
		e, err := parseLine(string(line))
		if err != nil {
			return nil, fmt.Errorf("dump line %d: %w", number, err)
		}
		entries = append(entries, e)
	}
	return New(entries)
}

func hasPrefix(name []byte, prefixes [][]byte) bool {
	for _, prefix := range prefixes {
		if bytes.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
