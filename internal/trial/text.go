package trial

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// shownLines is how many lines of output a report of a failure shows.
const shownLines = 20

// escapes matches the control sequences of terminals (ECMA-48): CSI, OSC, and
// the short ones. A boot's log is full of colours.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)|\x1b[@-_]")

// printable makes text for people out of what a guest said: it cannot move the
// cursor of whoever reads the report.
func printable(text []byte) string {
	clean := escapes.ReplaceAllString(strings.ToValidUTF8(string(text), "\uFFFD"), "")
	clean = strings.ReplaceAll(clean, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return -1
		}
		return r
	}, clean)
}

// LastLines gives the last n lines of text, and says how many it leaves out.
func LastLines(text string, n int) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	if left := len(lines) - n; left > 0 {
		lines = append([]string{fmt.Sprintf("… %d lines before", left)}, lines[left:]...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// WriteText writes a report: a line for each step, and for each failure its
// reason, the command's last output, and the console's last lines.
func WriteText(w io.Writer, results []Result) error {
	var text strings.Builder
	for _, result := range results {
		fmt.Fprintf(&text, "%s %s (%.1f s)\n", word(result.Passed), result.Name, result.Seconds)
		for _, step := range result.Steps {
			if step.Skipped {
				fmt.Fprintf(&text, "  skipped %d. %s\n", step.Number, step.What)
				continue
			}
			fmt.Fprintf(&text, "  %-7s %d. %s (%.1f s)\n", word(step.Passed), step.Number, step.What, step.Seconds)
			if !step.Passed {
				indent(&text, "          ", step.Failure)
				indent(&text, "          | ", LastLines(step.Output, shownLines))
			}
		}
		if result.SerialLog != "" {
			text.WriteString("  the console's last lines:\n")
			indent(&text, "  | ", LastLines(result.SerialLog, shownLines))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func word(passed bool) string {
	if passed {
		return "passed"
	}
	return "FAILED"
}

func indent(w *strings.Builder, prefix, text string) {
	for line := range strings.Lines(text) {
		w.WriteString(strings.TrimRight(prefix+strings.TrimRight(line, "\n"), " ") + "\n")
	}
}
