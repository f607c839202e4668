package guide_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// step is one thing that somebody does who follows a page: a file is written, or
// a command is run.
type step struct {
	file, kind, text string // kind is the language of its block

	command string
	prints  string // what the page says of it; nothing when it does not say
}

// section is a heading of a page and what there is to do below it.
type section struct {
	title string
	steps []step
}

var (
	named   = regexp.MustCompile("^`([^`]+)`:$")
	comment = regexp.MustCompile(`\s+#\s.*$`)
)

// sections reads a page.
func sections(text string) []section {
	all := []section{{}}
	above := "" // the last line of text
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		current := &all[len(all)-1]
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence:
			begin := i + 1
			for i++; i < len(lines) && lines[i] != "```"; i++ {
			}
			body := lines[begin:min(i, len(lines))]
			if name := named.FindStringSubmatch(above); name != nil {
				current.steps = append(current.steps, step{file: name[1], kind: kind, text: strings.Join(body, "\n") + "\n"})
			} else if kind == "console" || kind == "sh" {
				current.steps = append(current.steps, commands(body)...)
			}
			above = ""
		case strings.HasPrefix(line, "## "):
			all = append(all, section{title: strings.TrimPrefix(line, "## ")})
		case strings.TrimSpace(line) != "":
			above = line
		}
	}
	return all
}

// whole is all that there is to do on a page.
func whole(text string) (steps []step) {
	for _, s := range sections(text) {
		steps = append(steps, s.steps...)
	}
	return steps
}

// commands are the commands of a block, each with what is shown below it.
func commands(lines []string) []step {
	var all []step
	for _, line := range lines {
		command, shown := strings.CutPrefix(strings.TrimSpace(line), "$ ")
		switch {
		case shown:
			all = append(all, step{command: comment.ReplaceAllString(command, "")})
		case len(all) > 0:
			all[len(all)-1].prints += line + "\n"
		}
	}
	return all
}

// mark begins the output of a step.
const mark = "\x1e"

// script does the steps in a shell.
func script(steps []step) string {
	lines := []string{"set -euo pipefail", "umask 022"}
	for i, s := range steps {
		if s.file != "" {
			lines = append(lines, "mkdir -p "+quoted(path.Dir(s.file)), "cat > "+quoted(s.file)+" <<'"+mark+"'\n"+s.text+mark)
			continue
		}
		lines = append(lines, fmt.Sprintf("printf '\\036%d\\n'", i), s.command)
	}
	return strings.Join(lines, "\n")
}

// printed tells apart what each step printed.
func printed(out string) map[int]string {
	all := map[int]string{}
	for _, part := range strings.Split(out, mark)[1:] {
		number, text, _ := strings.Cut(part, "\n")
		if i, err := strconv.Atoi(number); err == nil {
			all[i] = text
		}
	}
	return all
}

// matches says whether a program printed what a page shows.
func matches(shown, is string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(shown) {
		if line == "…\n" {
			pattern.WriteString(`(?:[^\n]*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `[^\n]*`))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(is)
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func TestAPageIsRead(t *testing.T) {
	got := sections("text\n```console\n$ one   # why\noutput\n more\n$ two\n```\n```yaml\n$ no\n```\n## Next\n\n`a/b.cue`:\n\n```cue\nx: 1\n```\n```sh\n$ three\n```\n")
	want := []section{
		{steps: []step{{command: "one", prints: "output\n more\n"}, {command: "two"}}},
		{title: "Next", steps: []step{{file: "a/b.cue", kind: "cue", text: "x: 1\n"}, {command: "three"}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(section{}, step{})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsPrintedIsCompared(t *testing.T) {
	for _, c := range []struct {
		shown, is string
		want      bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"a.c\n", "abc\n", false},
		{"in … s\n", "in 1.2 s\n", true},
		{"in … s\n", "in 1\n2 s\n", false},
		{"a\n…\nz\n", "a\nb\nc\nz\n", true},
		{"a\n…\n", "a\n", true},
		{"…\nz\n", "a\n", false},
	} {
		if got := matches(c.shown, c.is); got != c.want {
			t.Errorf("%q shown, %q printed: %v", c.shown, c.is, got)
		}
	}
	out := printed("before" + mark + "0\na\nb\n" + mark + "2\n")
	if !cmp.Equal(out, map[int]string{0: "a\nb\n", 2: ""}) {
		t.Errorf("told apart: %v", out)
	}
}

// configured says whether steps write a configuration.
func configured(steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return path.Ext(s.file) == ".cue" || s.file == "stet.yaml" })
}
