package edit

import (
	"bytes"
	"strings"
)

// span is a range of bytes.
type span struct{ from, to int }

// A flow is a map or list in brackets, with commas between its items.
type flow struct {
	lines
	open, close int // the offsets of its brackets
	items       []span
	mark        string // begins a comment
	unit        string // one level of indentation
	newlines    bool   // the end of a line is as good as a comma
}

// inside is what is between the brackets.
func (f flow) inside() []byte { return f.lines[f.open+1 : f.close] }

// add puts an item behind the last, on a line of its own where the last has one.
func (f flow) add(item string) []splice {
	if len(f.items) == 0 {
		if isBlank(f.inside()) {
			return []splice{{f.open + 1, f.close, item}}
		}
		if !f.first(f.close) {
			return []splice{{f.close, f.close, item}}
		}
		at := f.begin(f.close)
		return []splice{{at, at, f.indent(at) + f.unit + item + "\n"}}
	}
	last := f.items[len(f.items)-1]
	if !f.first(last.from) || !bytes.Contains(f.lines[last.to:f.close], []byte("\n")) {
		return []splice{{last.to, last.to, ", " + item}}
	}
	at := f.next(last.to)
	line := f.indent(last.from) + item
	switch {
	case f.hasComma(last):
		return []splice{{at, at, line + ",\n"}}
	case f.newlines:
		return []splice{{at, at, line + "\n"}}
	}
	return []splice{{last.to, last.to, ","}, {at, at, line + "\n"}}
}

func (f flow) hasComma(item span) bool {
	return strings.HasPrefix(strings.TrimLeft(string(f.lines[item.to:f.close]), " \t"), ",")
}

// remove takes an item out, with the comma that it needs no more.
func (f flow) remove(i int) splice {
	item := f.items[i]
	end := item.to // behind its comma
	if f.hasComma(item) {
		end += 1 + bytes.IndexByte(f.lines[item.to:], ',')
	}
	if f.first(item.from) && f.last(end, f.mark) {
		cut := splice{f.begin(item.from), f.next(end), ""}
		if len(f.items) == 1 {
			return f.emptied(cut)
		}
		return cut
	}
	if len(f.items) == 1 {
		return f.emptied(splice{item.from, end, ""})
	}
	broken := func(from, to int) bool { return bytes.Contains(f.lines[from:to], []byte("\n")) }
	noted := func(from, to int) bool { return bytes.Contains(f.lines[from:to], []byte(f.mark)) }
	if i > 0 && !broken(f.items[i-1].to, item.from) {
		return splice{f.items[i-1].to, item.to, ""}
	}
	switch {
	case i+1 < len(f.items) && !noted(item.to, f.items[i+1].from):
		return splice{item.from, f.items[i+1].from, ""}
	case i+1 == len(f.items) && !noted(f.items[i-1].to, item.from):
		return splice{f.items[i-1].to, item.to, ""}
	}
	return splice{item.from, end, ""}
}

// emptied closes the brackets when nothing is left between them.
func (f flow) emptied(cut splice) splice {
	if isBlank(f.lines[f.open+1:max(f.open+1, cut.from)]) && isBlank(f.lines[min(f.close, cut.to):f.close]) {
		return splice{f.open + 1, f.close, ""}
	}
	return cut
}
