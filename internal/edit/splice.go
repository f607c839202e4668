package edit

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// A splice puts text in the place of the bytes [from, to).
type splice struct {
	from, to int
	text     string
}

// apply makes splices that do not overlap. At one place they are in the order in
// which they were given.
func apply(text []byte, parts []splice) []byte {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b splice) int { return a.from - b.from })
	var out []byte
	done := 0
	for _, s := range parts {
		out = append(out, text[done:max(done, s.from)]...)
		out = append(out, s.text...)
		done = max(done, s.to)
	}
	return append(out, text[done:]...)
}

// lines is a text whose lines are looked at.
type lines []byte

// place is the line and column of an offset.
func (t lines) place(at int) (line, column int) {
	at = min(max(at, 0), len(t))
	return 1 + bytes.Count(t[:at], []byte("\n")), 1 + utf8.RuneCount(t[t.begin(at):at])
}

// begin is where the line of an offset begins.
func (t lines) begin(at int) int { return 1 + bytes.LastIndexByte(t[:at], '\n') }

// end is where the line of an offset ends: at its \n, or at the text's end.
func (t lines) end(at int) int {
	if i := bytes.IndexByte(t[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(t)
}

// next is where the line after that of an offset begins.
func (t lines) next(at int) int { return min(len(t), t.end(at)+1) }

// indent is the white space that the line of an offset begins with.
func (t lines) indent(at int) string {
	line := string(t[t.begin(at):t.end(at)])
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// first says whether nothing but white space is before an offset in its line.
func (t lines) first(at int) bool { return isBlank(t[t.begin(at):at]) }

// last says whether nothing but white space and a comment is behind an offset in
// its line.
func (t lines) last(at int, comment string) bool {
	rest := string(t[at:t.end(at)])
	trimmed := strings.TrimLeft(rest, " \t")
	return trimmed == "" || strings.HasPrefix(trimmed, comment)
}

// comment says whether the line that begins at an offset has nothing but a
// comment, and how far that is indented.
func (t lines) comment(at int, mark string) (indent int, is bool) {
	indent = len(t.indent(at))
	return indent, strings.HasPrefix(string(t[at+indent:t.end(at)]), mark)
}

// below is where the next entry of a block would begin, behind one that ends at
// an offset. Comments that are indented deeper than the block's entries belong
// to the entry.
func (t lines) below(at, indent int, mark string) int {
	at = t.next(at)
	for at < len(t) {
		if depth, is := t.comment(at, mark); !is || depth <= indent {
			break
		}
		at = t.next(at)
	}
	return at
}

// insert puts whole lines at an offset that begins a line, or is the text's end.
// A text that does not end in \n still does not, unless keep.
func (t lines) insert(at int, text string, keep bool) splice {
	if at == len(t) && at > 0 && t[at-1] != '\n' {
		text = "\n" + text
		if !keep {
			text = strings.TrimSuffix(text, "\n")
		}
	}
	return splice{at, at, text}
}

// cut takes out the lines of the entry at [from, to), with the comment lines
// directly above and at the same depth. It says whether they are the entry's
// alone.
func (t lines) cut(from, to int, mark string) (splice, bool) {
	if !t.first(from) || !t.last(to, mark) {
		return splice{}, false
	}
	indent := len(t.indent(from))
	begin := t.begin(from)
	for begin > 0 {
		above := t.begin(begin - 1)
		if depth, is := t.comment(above, mark); !is || depth != indent {
			break
		}
		begin = above
	}
	return splice{from: begin, to: t.below(to, indent, mark)}, true
}

func isBlank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }
