package term

import (
	"fmt"
	"io"
	"os"

	xterm "golang.org/x/term"
)

// Terminal writes for people to one stream, usually stderr.
type Terminal struct {
	out   io.Writer
	color bool
	live  bool // lines can be rewritten
	width func() int
}

// New looks at where out leads. Colour and rewriting need a terminal; getenv
// may forbid colour (NO_COLOR, see no-color.org, or TERM=dumb).
func New(out io.Writer, getenv func(string) string) *Terminal {
	t := &Terminal{out: out, width: func() int { return 80 }}
	file, ok := out.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) {
		return t
	}
	dumb := getenv("TERM") == "dumb"
	t.live = !dumb
	t.color = !dumb && getenv("NO_COLOR") == ""
	t.width = func() int {
		if width, _, err := xterm.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
		return 80
	}
	return t
}

// The styles there are, as SGR parameters (ECMA-48).
const (
	styleBold  = "1"
	styleRed   = "1;31"
	styleGreen = "32"
	styleFaint = "2"
)

func (t *Terminal) style(style, text string) string {
	if !t.color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// Title writes one line that stands above others.
func (t *Terminal) Title(text string) { fmt.Fprintln(t.out, t.style(styleBold, clean(text))) }

// Aside writes one line that says more of the one above it.
func (t *Terminal) Aside(text string) { fmt.Fprintln(t.out, t.style(styleFaint, clean(text))) }
