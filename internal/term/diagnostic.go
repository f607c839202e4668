package term

import (
	"fmt"
	"strings"
	"unicode"
)

// Diagnostic is one thing that is wrong with a text, as a person is told.
type Diagnostic struct {
	Where   string // file:line:column
	Subject string // what it is about; may be empty
	Message string
	Remedy  string
	Mark    Mark
	Notes   []Note
}

// Note is another place that takes part.
type Note struct {
	Where string
	Mark  Mark
}

// Mark is a line and the characters of it that are meant. A zero Line has
// nothing to show.
type Mark struct {
	Line   int
	Column int // from 1, in characters
	Width  int
	Text   string
}

// mostNotes is how many other places one diagnostic shows.
const mostNotes = 3

// Diagnose writes diagnostics, one block each.
func (t *Terminal) Diagnose(all []Diagnostic) {
	const most = 20
	for i, d := range all {
		if i == most {
			fmt.Fprintf(t.out, "… and %d more\n", len(all)-most)
			return
		}
		t.diagnose(d)
	}
}

func (t *Terminal) diagnose(d Diagnostic) {
	head := t.style(styleBold, clean(d.Where)) + ": "
	if d.Subject != "" {
		head += clean(d.Subject) + ": "
	}
	fmt.Fprintln(t.out, head+t.style(styleRed, clean(d.Message)))
	if d.Mark.Line > 0 {
		t.mark(d.Mark, d.Remedy)
	} else if d.Remedy != "" {
		fmt.Fprintln(t.out, "  "+clean(d.Remedy))
	}
	for i, n := range d.Notes {
		if i == mostNotes {
			fmt.Fprintf(t.out, "  … and %d more places\n", len(d.Notes)-mostNotes)
			break
		}
		fmt.Fprintln(t.out, "and "+t.style(styleBold, clean(n.Where))+":")
		t.mark(n.Mark, "")
	}
}

// mark writes the line and a caret below it. Long lines are cut around the
// caret; tabs become one space so that both lines agree.
func (t *Terminal) mark(m Mark, remedy string) {
	if m.Line == 0 {
		return
	}
	const most = 100
	runes := []rune(clean(strings.ReplaceAll(m.Text, "\t", " ")))
	start := 0
	if m.Column > most*3/4 {
		start = min(m.Column-most/2, len(runes))
	}
	shown, column := runes[start:], m.Column-start
	if start > 0 && len(shown) > 0 {
		shown[0] = '…'
	}
	if len(shown) > most {
		shown = append(shown[:most-1:most-1], '…')
	}
	fmt.Fprintf(t.out, "%4d | %s\n", m.Line, strings.TrimRight(string(shown), " "))
	if m.Column == 0 {
		if remedy != "" {
			fmt.Fprintf(t.out, "     | %s\n", clean(remedy))
		}
		return
	}
	width := max(1, min(m.Width, most-column+1))
	line := strings.Repeat(" ", column-1) + t.style(styleRed, strings.Repeat("^", width))
	remedy = clean(remedy)
	switch {
	case remedy == "":
	case column+width+len([]rune(remedy)) <= most:
		line += " " + remedy
	default:
		line += "\n     | " + remedy
	}
	fmt.Fprintf(t.out, "     | %s\n", line)
}

// clean keeps hostile text from steering the terminal: control characters
// become U+FFFD.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Error writes an error that has no place in a text, and its remedy.
func (t *Terminal) Error(message, remedy string) {
	fmt.Fprintln(t.out, t.style(styleRed, "stet:")+" "+clean(message))
	if remedy != "" {
		fmt.Fprintln(t.out, "  "+clean(remedy))
	}
}

// Note writes one line that is good to know.
func (t *Terminal) Note(message string) { fmt.Fprintln(t.out, clean(message)) }
