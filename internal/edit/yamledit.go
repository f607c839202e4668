package edit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A yamlSpot is a value, and where it stands.
type yamlSpot struct {
	key    *yaml.Node // nil: the value is the root
	value  *yaml.Node
	depth  int  // how far the key's map is indented
	inFlow bool // the key's map is in brackets
}

func (f *yamlFile) splices(c Change, oneLine bool) ([]splice, error) {
	w := yamlWriter{unit: f.unit, oneLine: oneLine}
	if c.op == remove {
		return f.remove(c)
	}
	spot := yamlSpot{value: f.root, depth: -f.unit}
	for i, key := range c.path {
		if spot.value == nil || isNothing(spot.value) {
			return f.fill(spot, within(c.path[i:], c.value), c, w)
		}
		if err := f.mapAt(spot, c); err != nil {
			return nil, err
		}
		next, found := f.entry(spot, key)
		if !found {
			return f.append(spot.value, spot.inFlow, Entry{key, within(c.path[i+1:], c.value)}, c, w)
		}
		spot = next
	}
	switch c.op {
	case add:
		return f.addItem(spot, c, w)
	case drop:
		return f.dropItem(spot, c)
	}
	return f.replace(spot, c, w)
}

// isNothing says whether a node is null or {}, and plainly so.
func isNothing(n *yaml.Node) bool {
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return false
	}
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" || n.Kind == yaml.MappingNode && len(n.Content) == 0
}

// plain refuses a value that others refer to, or that stands for others.
func (f *yamlFile) plain(n *yaml.Node, c Change) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.refuse(f.start(n), c, "an alias stands for a value that is elsewhere")
	case n.Anchor != "":
		return f.refuse(f.start(n), c, "the anchor &"+n.Anchor+" has this value stand elsewhere, too")
	case n.Style&yaml.TaggedStyle != 0:
		return f.refuse(f.start(n), c, "a tag says what this value is")
	}
	return nil
}

// mapAt refuses what is no map of plain keys.
func (f *yamlFile) mapAt(spot yamlSpot, c Change) error {
	if err := f.plain(spot.value, c); err != nil {
		return err
	}
	if spot.value.Kind != yaml.MappingNode {
		return f.refuse(f.start(spot.value), c, "found "+foundNode(spot.value)+" where a map is expected")
	}
	for i := 0; i < len(spot.value.Content); i += 2 {
		if key := spot.value.Content[i]; key.Tag == mergeTag {
			return f.refuse(f.start(key), c, "a merge key brings entries from elsewhere")
		}
	}
	return nil
}

func foundNode(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("the value %q", n.Value)
}

// entry is the spot of a key in the map at spot.
func (f *yamlFile) entry(spot yamlSpot, key string) (yamlSpot, bool) {
	m := spot.value
	for i := 0; i+1 < len(m.Content); i += 2 {
		if keyOf(m.Content[i]) == key {
			inFlow := spot.inFlow || m.Style&yaml.FlowStyle != 0
			depth := spot.depth
			if !inFlow {
				depth = f.depth(m)
			}
			return yamlSpot{m.Content[i], m.Content[i+1], depth, inFlow}, true
		}
	}
	return yamlSpot{}, false
}

// append adds an entry to a map that has some, or is in brackets.
func (f *yamlFile) append(m *yaml.Node, inFlow bool, e Entry, c Change, w yamlWriter) ([]splice, error) {
	w.flowMaps = lastMapIsFlow(m)
	if m.Style&yaml.FlowStyle != 0 {
		brackets, err := f.flow(m, c)
		if err != nil {
			return nil, err
		}
		return brackets.add(w.flowEntry(e)), nil
	}
	depth, stop := f.depth(m), f.stop(m, 0)
	if stop < 0 || !f.last(stop, "#") || !f.first(f.start(m.Content[0])) {
		return nil, f.refuse(f.start(m), c, "it is not certain where this map begins and ends")
	}
	text := w.entry(depth, e)
	return []splice{f.insert(f.below(stop, depth, "#"), text, w.keep)}, nil
}

// lastMapIsFlow says whether the last map in a map is in brackets.
func lastMapIsFlow(m *yaml.Node) bool {
	for i := len(m.Content) - 1; i > 0; i -= 2 {
		if v := m.Content[i]; v.Kind == yaml.MappingNode && len(v.Content) > 0 {
			return v.Style&yaml.FlowStyle != 0
		}
	}
	return false
}

// fill puts a value where null, {} or nothing is.
func (f *yamlFile) fill(spot yamlSpot, v Value, c Change, w yamlWriter) ([]splice, error) {
	m, isMap := v.(Map)
	isBrackets := spot.value != nil && spot.value.Kind == yaml.MappingNode
	var brackets flow
	if isBrackets {
		var err error
		if brackets, err = f.flow(spot.value, c); err != nil {
			return nil, err
		}
		if isMap && (spot.inFlow || spot.key == nil || w.fits(m) || !isBlank(brackets.inside())) {
			entries := w.flowMap(m)
			return brackets.add(entries[1 : len(entries)-1]), nil
		}
	}
	if spot.key == nil {
		if spot.value != nil && spot.value.Value != "" {
			return nil, f.refuse(f.start(spot.value), c, "found "+foundNode(spot.value)+" where a map is expected")
		}
		text := w.entries(0, m)
		return []splice{f.insert(len(f.lines), text, w.keep)}, nil
	}
	from, to := f.start(spot.value), f.stop(spot.value, spot.depth)
	if to < 0 || from == 0 {
		return nil, f.refuse(from, c, "it is not certain where this value ends")
	}
	begin := from // behind the colon
	for begin > 0 && (f.lines[begin-1] == ' ' || f.lines[begin-1] == '\t') {
		begin--
	}
	if from == to {
		to = begin
	}
	colon := ""
	if begin == 0 || f.lines[begin-1] != ':' {
		if !spot.inFlow {
			if f.lines[from-1] != ' ' && from != to {
				return nil, f.refuse(from, c, "the value stands apart from its key")
			}
		} else if begin == to {
			colon = ":"
		}
	}
	if spot.inFlow {
		return []splice{{begin, to, colon + " " + w.flowValue(v)}}, nil
	}
	if isMap && len(m) > 0 {
		text := w.entries(spot.depth+f.unit, m)
		return []splice{{begin, to, ""}, f.insert(f.below(to, spot.depth, "#"), text, w.keep)}, nil
	}
	mark, lines := w.scalar(spot.depth, v)
	return f.put(splice{begin, to, " " + mark}, lines, to, w), nil
}

// put makes a splice, and puts the lines of a block of text below the line on
// which the replaced text ended.
func (f *yamlFile) put(s splice, below string, ended int, w yamlWriter) []splice {
	if below == "" {
		return []splice{s}
	}
	return []splice{s, f.insert(f.next(ended), below, w.keep)}
}

// replace puts a value in the place of the one at spot.
func (f *yamlFile) replace(spot yamlSpot, c Change, w yamlWriter) ([]splice, error) {
	if spot.value == nil || isNothing(spot.value) {
		return f.fill(spot, c.value, c, w)
	}
	n := spot.value
	if err := f.plain(n, c); err != nil {
		return nil, err
	}
	_, isMap := c.value.(Map)
	if _, isList := c.value.(list); isList || isMap || n.Kind != yaml.ScalarNode {
		wanted := "one value"
		if isMap || isList {
			wanted = "a map"
		}
		return nil, f.refuse(f.start(n), c, "found "+foundNode(n)+" where "+wanted+" is expected")
	}
	from, to := f.start(n), f.stop(n, spot.depth)
	if to < 0 {
		return nil, f.refuse(from, c, "it is not certain where this value ends")
	}
	if spot.inFlow {
		return []splice{{from, to, w.flowValue(c.value)}}, nil
	}
	mark, lines := w.scalar(spot.depth, c.value)
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return f.put(splice{from, to, mark}, lines, to, w), nil
	}
	// The mark of the old text may have a comment behind it.
	header := from + strings.IndexAny(string(f.lines[from:f.end(from)])+" ", " \t")
	header = min(header, f.end(from))
	begin, end := f.next(from), min(len(f.lines), to+1)
	return []splice{{from, header, mark}, {begin, max(begin, end), lines}}, nil
}

// flow is a map or list in brackets, with the spans of its items.
func (f *yamlFile) flow(n *yaml.Node, c Change) (flow, error) {
	made := flow{lines: f.lines, open: f.start(n), close: f.stop(n, 0) - 1, mark: "#", unit: "  "}
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step <= len(n.Content); i += step {
		made.items = append(made.items, span{f.start(n.Content[i]), f.stop(n.Content[i+step-1], 0)})
	}
	if made.close < made.open || slices.ContainsFunc(made.items, func(s span) bool { return s.to < s.from || s.from <= made.open || s.to > made.close }) {
		return flow{}, f.refuse(made.open, c, "it is not certain where what stands in these brackets ends")
	}
	return made, nil
}
