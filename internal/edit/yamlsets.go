package edit

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// remove takes out the entry at the end of a path.
func (f *yamlFile) remove(c Change) ([]splice, error) {
	holder, spot := yamlSpot{}, yamlSpot{value: f.root}
	at := 0
	for _, key := range c.path {
		if spot.value == nil || isNothing(spot.value) {
			return nil, nil
		}
		if err := f.mapAt(spot, c); err != nil {
			return nil, err
		}
		next, found := f.entry(spot, key)
		if !found {
			return nil, nil
		}
		for i, n := range spot.value.Content {
			if n == next.key {
				at = i / 2
			}
		}
		holder, spot = spot, next
	}
	if err := f.plain(spot.value, c); err != nil {
		return nil, err
	}
	return f.cutItem(holder, at, f.start(spot.key), f.stop(spot.value, spot.depth), "{}", c)
}

// cutItem takes the item at [from, to) out of the map or list at holder.
func (f *yamlFile) cutItem(holder yamlSpot, at, from, to int, empty string, c Change) ([]splice, error) {
	if holder.value.Style&yaml.FlowStyle != 0 {
		brackets, err := f.flow(holder.value, c)
		if err != nil {
			return nil, err
		}
		return []splice{brackets.remove(at)}, nil
	}
	uncertain := f.refuse(from, c, "the entry shares its lines with something else")
	if to < from {
		return nil, uncertain
	}
	cut, ok := f.cut(from, to, "#")
	if !ok {
		return nil, uncertain
	}
	if items := len(holder.value.Content); holder.key == nil || items > 2 || items == 2 && holder.value.Kind == yaml.SequenceNode {
		return []splice{cut}, nil
	}
	key := f.stop(holder.key, 0)
	if key < 0 {
		return nil, uncertain
	}
	colon := bytes.IndexByte(f.lines[key:cut.from], ':')
	if colon < 0 {
		return nil, uncertain
	}
	return []splice{{key + colon + 1, key + colon + 1, " " + empty}, cut}, nil
}

// listAt refuses what is no list of plain values.
func (f *yamlFile) listAt(spot yamlSpot, c Change) error {
	if err := f.plain(spot.value, c); err != nil {
		return err
	}
	if spot.value.Kind != yaml.SequenceNode {
		return f.refuse(f.start(spot.value), c, "found "+foundNode(spot.value)+" where a list is expected")
	}
	for _, item := range spot.value.Content {
		if err := f.plain(item, c); err != nil {
			return err
		}
	}
	return nil
}

// addItem adds a member to a list.
func (f *yamlFile) addItem(spot yamlSpot, c Change, w yamlWriter) ([]splice, error) {
	if err := f.listAt(spot, c); err != nil {
		return nil, err
	}
	n := spot.value
	if n.Style&yaml.FlowStyle != 0 {
		brackets, err := f.flow(n, c)
		if err != nil {
			return nil, err
		}
		return brackets.add(quoteYAML(c.member, true)), nil
	}
	stop, depth := f.stop(n, 0), f.depth(n)
	if stop < 0 || !f.last(stop, "#") || !f.first(f.start(n)) {
		return nil, f.refuse(f.start(n), c, "it is not certain where this list begins and ends")
	}
	line := strings.Repeat(" ", depth) + "- " + quoteYAML(c.member, false) + "\n"
	return []splice{f.insert(f.below(stop, depth, "#"), line, false)}, nil
}

// dropItem takes a member out of a list.
func (f *yamlFile) dropItem(spot yamlSpot, c Change) ([]splice, error) {
	if spot.value == nil || isNothing(spot.value) {
		return nil, nil
	}
	if err := f.listAt(spot, c); err != nil {
		return nil, err
	}
	n := spot.value
	list := f.says.at(c.path).lists[0]
	at := member(list, c.member)
	if at < 0 {
		return nil, nil
	}
	if member(list[at+1:], c.member) >= 0 {
		return nil, f.refuse(f.start(n.Content[at]), c, "the member is in this list twice")
	}
	from := f.start(n.Content[at])
	if n.Style&yaml.FlowStyle == 0 { // its dash
		line := f.lines[f.begin(from):from]
		if strings.TrimSpace(string(line)) != "-" {
			return nil, f.refuse(from, c, "the entry shares its lines with something else")
		}
		from = f.begin(from) + bytes.IndexByte(line, '-')
	}
	return f.cutItem(spot, at, from, f.stop(n.Content[at], f.depth(n)), "[]", c)
}
