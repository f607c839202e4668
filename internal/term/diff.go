package term

import (
	"fmt"
	"strings"
)

// Diff writes the hunks of a unified diff, each line after indent, and at most
// so many lines.
func (t *Terminal) Diff(indent, hunks string, most int) {
	all := strings.Split(strings.TrimSuffix(hunks, "\n"), "\n")
	for _, line := range all[:min(most, len(all))] {
		style := ""
		switch line = clean(line); {
		case strings.HasPrefix(line, "@@"):
			style = styleFaint
		case strings.HasPrefix(line, "-"):
			style = styleRed
		case strings.HasPrefix(line, "+"):
			style = styleGreen
		}
		if style != "" {
			line = t.style(style, line)
		}
		fmt.Fprintln(t.out, strings.TrimRight(indent+line, " "))
	}
	if more := len(all) - most; more > 0 {
		fmt.Fprintf(t.out, "%s… and %d more lines\n", indent, more)
	}
}
