package edit

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// start is the offset of a node, with its anchor and tag.
func (f *yamlFile) start(n *yaml.Node) int {
	at := 0
	for range n.Line - 1 {
		at = f.next(at)
	}
	end := f.end(at)
	for range n.Column - 1 {
		if at >= end {
			break
		}
		at++
		for at < end && f.lines[at]&0xC0 == 0x80 { // within a character
			at++
		}
	}
	return at
}

// depth is how far the entries of a block are indented.
func (f *yamlFile) depth(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode {
		return n.Content[0].Column - 1
	}
	return n.Column - 1
}

// stop is the offset behind a node, or -1 when it is not certain. The block that
// the node is an entry of is indented by parent, or -1.
func (f *yamlFile) stop(n *yaml.Node, parent int) int {
	at := f.start(n)
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		for at < len(f.lines) && (f.lines[at] == '&' || f.lines[at] == '!') {
			end := at + len(f.lines[at:]) - len(bytes.TrimLeft(f.lines[at:], wordBytes))
			if at = f.skip(end, ""); n.Kind == yaml.ScalarNode && n.Value == "" && !isQuote(n.Style) {
				at = end
			}
		}
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return at + len("*") + len(n.Value)
	case n.Kind == yaml.ScalarNode:
		return f.stopScalar(at, n, parent)
	case n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0:
		return f.stop(n.Content[len(n.Content)-1], f.depth(n))
	case n.Style&yaml.FlowStyle != 0:
		if at++; len(n.Content) > 0 {
			if at = f.stop(n.Content[len(n.Content)-1], parent); at < 0 {
				return -1
			}
		}
		at = f.skip(at, ",:")
		if at < len(f.lines) && (f.lines[at] == ']' || f.lines[at] == '}') {
			return at + 1
		}
	}
	return -1
}

// wordBytes are what an anchor or a tag may have.
const wordBytes = "!&%-_./:<>#;@+=$~'()abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func isQuote(s yaml.Style) bool {
	return s&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// skip passes white space, line ends, comments and some marks.
func (f *yamlFile) skip(at int, marks string) int {
	for at < len(f.lines) {
		switch c := f.lines[at]; {
		case c == '#' && (at == 0 || strings.IndexByte(" \t\n,[]{}:", f.lines[at-1]) >= 0):
			at = f.end(at)
		case c == ' ' || c == '\t' || c == '\n' || strings.IndexByte(marks, c) >= 0:
			at++
		default:
			return at
		}
	}
	return at
}

// stopScalar is the offset behind a scalar that begins at an offset.
func (f *yamlFile) stopScalar(at int, n *yaml.Node, parent int) int {
	text := f.lines
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return f.stopBlock(at, parent)
	case isQuote(n.Style):
		if at >= len(text) {
			return -1
		}
		quote := text[at]
		for i := at + 1; i < len(text); i++ {
			switch {
			case text[i] == '\\' && quote == '"':
				i++
			case text[i] == quote && quote == '\'' && i+1 < len(text) && text[i+1] == quote:
				i++
			case text[i] == quote:
				return i + 1
			}
		}
		return -1
	}
	// A plain scalar has no escapes, but may have line ends instead of spaces.
	for i := 0; i < len(n.Value); i++ {
		if strings.IndexByte(" \t\n", n.Value[i]) >= 0 {
			continue
		}
		for i > 0 && at < len(text) && strings.IndexByte(" \t\n", text[at]) >= 0 {
			at++
		}
		if at >= len(text) || text[at] != n.Value[i] {
			return -1
		}
		at++
	}
	return at
}

// stopBlock is the end of the last line of a block of text (| or >), whose mark
// is at an offset.
func (f *yamlFile) stopBlock(at, parent int) int {
	header, _, _ := strings.Cut(string(f.lines[at:f.end(at)]), " ")
	depth := -1 // of its text
	if i := strings.IndexAny(header, "123456789"); i >= 0 {
		depth = max(0, parent) + int(header[i]-'0')
	}
	stop := f.end(at)
	for i := f.next(at); i < len(f.lines); i = f.next(i) {
		line := string(f.lines[i:f.end(i)])
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case indent == len(line) && (depth < 0 || indent <= depth):
			if strings.Contains(header, "+") {
				stop = f.end(i)
			}
			continue
		case depth < 0 && indent > parent:
			depth = indent
		}
		if depth < 0 || indent < depth {
			break
		}
		stop = f.end(i)
	}
	return stop
}
