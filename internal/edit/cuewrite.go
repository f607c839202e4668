package edit

import (
	"strconv"
	"strings"
	"unicode"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
)

// cueWriter writes values.
type cueWriter struct {
	oneLine  bool // no texts of several lines
	flowMaps bool // maps of several entries are written in one line where they fit

	taken map[string]bool // names that may not be identifiers
}

// entries writes the entries of a map as lines.
func (w *cueWriter) entries(indent string, m Map) string {
	var b strings.Builder
	for _, e := range m {
		b.WriteString(w.entry(indent, e))
	}
	return b.String()
}

// entry writes an entry as lines.
func (w *cueWriter) entry(indent string, e Entry) string {
	return indent + w.label(e.Key) + ": " + w.value(indent, e.Value) + "\n"
}

// value writes a value that begins on a line of that indentation. A map of one
// entry is in short-hand.
func (w *cueWriter) value(indent string, v Value) string {
	switch x := v.(type) {
	case String:
		return quoteCUE(string(x), indent, w.oneLine)
	case Bool:
		return strconv.FormatBool(bool(x))
	case Int:
		return strconv.FormatInt(int64(x), 10)
	case Map:
		switch {
		case len(x) == 0:
			return "{}"
		case len(x) == 1:
			return w.label(x[0].Key) + ": " + w.value(indent, x[0].Value)
		case w.oneLine || w.flowMaps && w.fits(x):
			return w.flowMap(x)
		}
		return "{\n" + w.entries(indent+"\t", x) + indent + "}"
	}
	return null
}

// fits says whether a map reads well in one line.
func (w *cueWriter) fits(m Map) bool {
	return len(w.flowMap(m)) <= widest && (w.oneLine || !hasSeveralLines(m))
}

func (w *cueWriter) flowMap(m Map) string {
	parts := make([]string, len(m))
	for i, e := range m {
		parts[i] = w.flowEntry(e)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (w *cueWriter) flowEntry(e Entry) string {
	line := cueWriter{oneLine: true, taken: w.taken}
	return w.label(e.Key) + ": " + line.value("", e.Value)
}

// label writes the name of a regular field.
func (w *cueWriter) label(name string) string {
	switch name {
	case "true", "false", "null", "for", "if", "let", "in", "import", "func", "try", "else", "fallback":
		return literal.Label.Quote(name)
	}
	if ast.StringLabelNeedsQuoting(name) || w.taken[name] {
		return literal.Label.Quote(name)
	}
	return name
}

// quoteCUE writes a text: one of several lines in """, one with much to escape
// in #"…"#.
func quoteCUE(s, indent string, oneLine bool) string {
	plain := literal.String.Quote(s)
	candidates := []string{plain}
	raw := !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
	switch {
	case severalLines(s) && !oneLine:
		below := "\n" + indent + "\t"
		lines := strings.ReplaceAll(literal.String.WithTabIndent(0).Quote(s), "\n", below)
		candidates = []string{lines, plain}
		if raw && strings.ContainsAny(s, "\\\t") {
			hash := ""
			if strings.Contains(s, `\`) {
				hash = "#"
			}
			text := strings.ReplaceAll(hash+`"""`+"\n"+s+"\n"+`"""`+hash, "\n", below)
			candidates = []string{text, lines, plain}
		}
		for i, text := range candidates { // no white space on empty lines
			candidates[i] = strings.ReplaceAll(text, below+"\n", "\n\n")
			for strings.Contains(candidates[i], below+"\n") {
				candidates[i] = strings.ReplaceAll(candidates[i], below+"\n", "\n\n")
			}
		}
	case raw && !strings.ContainsAny(s, "\n\t") && strings.Count(s, `"`)+strings.Count(s, `\`) > 1:
		candidates = []string{`#"` + s + `"#`, plain}
	}
	for _, text := range candidates {
		if back, err := literal.Unquote(text); err == nil && back == s {
			return text
		}
	}
	return plain
}
