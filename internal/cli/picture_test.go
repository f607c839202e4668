package cli

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal gives what is written to a terminal, with the escape sequences that make
// it look as it does: to a pseudoterminal (pty(7)), so that all decide as they do for
// a person.
func onTerminal(t *testing.T, print func(*app) error) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("a pseudoterminal: %v", err)
		}
	}
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	defer outer.Close()
	must(unix.IoctlSetPointerInt(int(outer.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(outer.Fd()), unix.TIOCGPTN)
	must(err)
	inner, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	defer inner.Close()

	const end = "\x1e"
	read := make(chan string)
	go func() { // a terminal takes only so much that nobody reads
		var all []byte
		piece := make([]byte, 4096)
		for !bytes.HasSuffix(all, []byte(end)) {
			n, err := outer.Read(piece)
			if err != nil {
				break
			}
			all = append(all, piece[:n]...)
		}
		read <- strings.TrimSuffix(strings.ReplaceAll(string(all), "\r\n", "\n"), end)
	}()
	failed := print(&app{Environment: Environment{Stdout: inner, Getenv: func(string) string { return "" }}})
	_, err = inner.WriteString(end)
	must(err)
	text := <-read
	if failed != nil {
		t.Fatal(failed)
	}
	return text
}

// styled is a sequence that sets how what follows looks (SGR, ECMA-48 8.3.117).
var styled = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// looks are the styles of package term as classes of the picture.
var looks = map[string]string{"0": "", "1": "bold", "1;31": "red", "32": "green", "2": "faint"}

// Of the picture, in pixels. A letter of a monospaced font is 0.6 of its size wide;
// where a font has others, textLength puts it onto the grid.
const (
	letterSize   = 14
	letterWidth  = 8.4
	lineHeight   = 20
	pictureAside = 20
)

// drawn is a picture (SVG 1.1) of a terminal.
func drawn(title, text string) (string, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var body strings.Builder
	columns, class := 0, ""
	for row, line := range lines {
		column := 0
		put := func(run string) {
			// What is empty moves on, and draws nothing.
			words := strings.TrimLeft(run, " ")
			begin := column + utf8.RuneCountInString(run) - utf8.RuneCountInString(words)
			column += utf8.RuneCountInString(run)
			if words = strings.TrimRight(words, " "); words == "" {
				return
			}
			look := ""
			if class != "" {
				look = fmt.Sprintf(" class=%q", class)
			}
			fmt.Fprintf(&body, "  <text x=\"%.1f\" y=\"%d\" textLength=\"%.1f\"%s>%s</text>\n",
				pictureAside+float64(begin)*letterWidth, pictureAside+row*lineHeight+letterSize, float64(utf8.RuneCountInString(words))*letterWidth, look, html.EscapeString(words))
		}
		done := 0
		for _, at := range styled.FindAllStringSubmatchIndex(line, -1) {
			put(line[done:at[0]])
			known := false
			if class, known = looks[line[at[2]:at[3]]]; !known {
				return "", fmt.Errorf("no picture shows the style %q", line[at[0]:at[1]])
			}
			done = at[1]
		}
		put(line[done:])
		columns = max(columns, column)
	}
	width, height := 2*pictureAside+int(float64(columns)*letterWidth+1), 2*pictureAside+len(lines)*lineHeight
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
  <title>%[3]s</title>
  <style>
    rect { fill: #1b1f24; }
    text { font: %[4]dpx ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d8dee4; white-space: pre; }
    .bold { font-weight: bold; fill: #ffffff; }
    .red { font-weight: bold; fill: #ff7b72; }
    .green { fill: #7ee787; }
    .faint { fill: #8c959f; }
  </style>
  <rect width="100%%" height="100%%" rx="8"/>
%[5]s</svg>
`, width, height, html.EscapeString(title), letterSize, body.String()), nil
}

func TestAPictureShowsEveryStyle(t *testing.T) {
	picture, err := drawn("a & b", "plain  \x1b[1mbold\x1b[0m <\x1b[1;31mred\x1b[0m\n\n   \x1b[2mfaint\x1b[0m\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`<svg xmlns="http://www.w3.org/2000/svg" width="175" height="100"`, "<title>a &amp; b</title>",
		`<text x="20.0" y="34" textLength="42.0">plain</text>`, `<text x="78.8" y="34" textLength="33.6" class="bold">bold</text>`,
		`<text x="120.8" y="34" textLength="8.4">&lt;</text>`, `class="red">red</text>`, `<text x="45.2" y="74" textLength="42.0" class="faint">faint</text>`,
	} {
		if !strings.Contains(picture, part) {
			t.Errorf("%s is not in\n%s", part, picture)
		}
	}
	if _, err := drawn("", "\x1b[7mx"); err == nil {
		t.Error("a style that it does not know is drawn")
	}
}
