package edit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// widest is how long a map in brackets may be, where both forms are possible.
const widest = 76

// yamlWriter writes values.
type yamlWriter struct {
	unit     int  // spaces of one level
	oneLine  bool // no blocks of text
	flowMaps bool // maps are written in brackets where they fit
	keep     bool // what was written ends in a block of text, which needs its \n
}

// entries writes the entries of a map as lines of a block.
func (w *yamlWriter) entries(depth int, m Map) string {
	var b strings.Builder
	for _, e := range m {
		b.WriteString(w.entry(depth, e))
	}
	return b.String()
}

// entry writes a key and its value as lines of a block.
func (w *yamlWriter) entry(depth int, e Entry) string {
	w.keep = false
	key := strings.Repeat(" ", depth) + quoteYAML(e.Key, false) + ":"
	if m, isMap := e.Value.(Map); isMap && len(m) > 0 && !(w.flowMaps && w.fits(m)) {
		return key + "\n" + w.entries(depth+w.unit, m)
	}
	mark, below := w.scalar(depth, e.Value)
	return key + " " + mark + "\n" + below
}

// scalar writes a value that begins on the line of its key, and the lines of a
// block of text that follow.
func (w *yamlWriter) scalar(depth int, v Value) (mark, below string) {
	if s, isString := v.(String); isString && !w.oneLine {
		if header, lines, ok := literalYAML(string(s), depth, w.unit); ok {
			w.keep = header[1:] != "-" && !strings.HasSuffix(header, "-")
			return header, lines
		}
	}
	if s, isString := v.(String); isString {
		return quoteYAML(string(s), false), ""
	}
	return w.flowValue(v), ""
}

// fits says whether a map reads well in brackets: it is short, and has no text
// of several lines that could be a block.
func (w *yamlWriter) fits(m Map) bool {
	return len(w.flowMap(m)) <= widest && (w.oneLine || !hasSeveralLines(m))
}

func hasSeveralLines(v Value) bool {
	switch x := v.(type) {
	case String:
		return severalLines(string(x))
	case Map:
		for _, e := range x {
			if hasSeveralLines(e.Value) {
				return true
			}
		}
	}
	return false
}

// severalLines says whether a text has more than one line.
func severalLines(s string) bool {
	return strings.Contains(strings.TrimSuffix(s, "\n"), "\n") && strings.TrimSpace(s) != ""
}

func (w *yamlWriter) flowMap(m Map) string {
	parts := make([]string, len(m))
	for i, e := range m {
		parts[i] = w.flowEntry(e)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (w *yamlWriter) flowEntry(e Entry) string {
	return quoteYAML(e.Key, true) + ": " + w.flowValue(e.Value)
}

// flowValue writes a value in one line.
func (w *yamlWriter) flowValue(v Value) string {
	switch x := v.(type) {
	case String:
		return quoteYAML(string(x), true)
	case Bool:
		return strconv.FormatBool(bool(x))
	case Int:
		return strconv.FormatInt(int64(x), 10)
	case Map:
		return w.flowMap(x)
	case list:
		parts := make([]string, len(x))
		for i, member := range x {
			parts[i] = quoteYAML(member, true)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return null
}

var (
	// plainYAML are texts that no version of YAML reads as anything but text, if
	// they are no word or number: no indicator begins them, and ":" and "#" are
	// within words.
	plainYAML = regexp.MustCompile(`^[\pL\pN_/.+-][\pL\pN\pM_/.+=@()%~^*!<>;$&?'"\x60|\\,{}\[\] :#-]*$`)
	unsafeIn  = regexp.MustCompile(`[ ]#|: |:$| $|  |^---|^\.\.\.|^[.+-]+( |$)|^- `)
	unsafeBy  = regexp.MustCompile("[,{}\\[\\]?'\"`|\\\\]|:[^\\pL\\pN_/.-]")
	numberish = regexp.MustCompile(`^[-+.0-9][-+.:_ 0-9a-fA-FxXoOtTzZ]*$`)
	wordish   = regexp.MustCompile(`(?i)^([-+]?\.?(inf|nan)|null|true|false|yes|no|on|off|y|n)$`)
)

// quoteYAML writes a text in one line: plain where that is safe, or else in
// double quotes.
func quoteYAML(s string, inFlow bool) string {
	if plainYAML.MatchString(s) && !unsafeIn.MatchString(s) && !(inFlow && unsafeBy.MatchString(s)) &&
		!numberish.MatchString(s) && !wordish.MatchString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !unprintable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String() + `"`
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == '\uFEFF' || r == '\uFFFD' }

// literalYAML writes a text of several lines as a block of text, below a key that
// is indented by depth, if it reads back as the same.
func literalYAML(s string, depth, unit int) (header, below string, ok bool) {
	if !severalLines(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && unprintable(r) }) {
		return "", "", false
	}
	header = "|"
	if first := strings.TrimLeft(s, "\n"); strings.HasPrefix(first, " ") || strings.HasPrefix(first, "\t") {
		header += strconv.Itoa(unit)
	}
	switch {
	case !strings.HasSuffix(s, "\n"):
		header += "-"
	case strings.HasSuffix(s, "\n\n"):
		header += "+"
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", depth+unit))
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	below = b.String()
	var back map[string]string
	text := strings.Repeat(" ", depth) + "k: " + header + "\n" + below
	if err := yaml.Unmarshal([]byte(text), &back); err != nil || back["k"] != s {
		return "", "", false
	}
	return header, below, true
}
