package term

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/progress"
)

// plain is a terminal on a stream that is none.
func plain() (*Terminal, *bytes.Buffer) {
	var out bytes.Buffer
	return New(&out, func(string) string { return "" }), &out
}

func TestDiagnosticMarksWhatIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		in   Diagnostic
		want string
	}{
		"a word with a remedy": {
			Diagnostic{Where: "stet.yaml:7:3", Subject: "users.ada.shel", Message: "unknown option", Remedy: `did you mean "shell"?`, Mark: Mark{7, 3, 4, "  shel: /bin/bash"}},
			"stet.yaml:7:3: users.ada.shel: unknown option\n   7 |   shel: /bin/bash\n     |   ^^^^ did you mean \"shell\"?\n",
		},
		"no place in the file": {
			Diagnostic{Where: "stet.yaml", Message: "the file is empty", Remedy: "write something"},
			"stet.yaml: the file is empty\n  write something\n",
		},
		"a line without a column": {
			Diagnostic{Where: "a:2", Message: "bad", Remedy: "mend it", Mark: Mark{2, 0, 0, "x"}},
			"a:2: bad\n   2 | x\n     | mend it\n",
		},
		"wide characters and tabs": {
			Diagnostic{Where: "a:1:4", Message: "bad", Mark: Mark{1, 4, 2, "\té: xy"}},
			"a:1:4: bad\n   1 |  é: xy\n     |    ^^\n",
		},
		"control characters": {
			Diagnostic{Where: "a\x1b[31m:1:1", Message: "bad \x07", Mark: Mark{1, 1, 1, "\x1b[2J\u202e"}},
			"a\uFFFD[31m:1:1: bad \uFFFD\n   1 | \uFFFD[2J\uFFFD\n     | ^\n",
		},
		"another place": {
			Diagnostic{Where: "a:1:1", Message: "bad", Mark: Mark{1, 1, 1, "x"}, Notes: []Note{{"b:2:2", Mark{2, 2, 1, "yz"}}}},
			"a:1:1: bad\n   1 | x\n     | ^\nand b:2:2:\n   2 | yz\n     |  ^\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			term, out := plain()
			term.Diagnose([]Diagnostic{c.in})
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiagnosticsFitTheScreen(t *testing.T) {
	term, out := plain()
	long := strings.Repeat("x", 5000)
	term.Diagnose([]Diagnostic{{Where: "a:1:2500", Message: "bad", Mark: Mark{1, 2500, 900, long}}})
	for _, line := range strings.Split(out.String(), "\n") {
		if len([]rune(line)) > 110 {
			t.Errorf("a line of %d characters", len([]rune(line)))
		}
	}
	out.Reset()
	term.Diagnose(make([]Diagnostic, 100))
	if n := strings.Count(out.String(), "\n"); n > 25 || !strings.Contains(out.String(), "and 80 more") {
		t.Errorf("%d lines for a hundred errors:\n%s", n, out)
	}
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	term, out := plain()
	term.color = true
	term.Error("bad", "mend it")
	if !strings.Contains(out.String(), "\x1b[1;31mstet:\x1b[0m bad") {
		t.Errorf("got %q", out)
	}
	term, out = plain()
	term.Error("bad", "")
	if out.String() != "stet: bad\n" {
		t.Errorf("got %q", out)
	}
}

func TestTableAlignsCharacters(t *testing.T) {
	var out bytes.Buffer
	Table(&out, [][]string{{"a", "one"}, {"éé", "two"}, {"ccc", ""}})
	if want := "a    one\néé   two\nccc\n"; out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9996: "10.0 kB", 99_960: "100 kB", 999_499: "999 kB", 999_500: "1.00 MB", 50_200_000: "50.2 MB", 1 << 62: "4612 PB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) is %q, want %q", n, got, want)
		}
	}
}

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) read() time.Time         { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func TestProgressIsSilentForShortWork(t *testing.T) {
	term, out := plain()
	c := &clock{time.Unix(1e9, 0)}
	p := term.Progress(c.read)
	for i := range int64(10) {
		p.Event(progress.Event{Stage: "unpack", Done: i, Total: 10})
		c.advance(40 * time.Millisecond)
	}
	p.Close()
	if out.Len() > 0 {
		t.Errorf("0.4 s of work wrote %q", out)
	}
}

func TestProgressIsSparseWhereLinesStay(t *testing.T) {
	term, out := plain()
	c := &clock{time.Unix(1e9, 0)}
	p := term.Progress(c.read)
	for i := range int64(31) {
		p.Event(progress.Event{Stage: "fetch packages", Detail: "curl", Done: i * 1_000_000, Total: 30_000_000, Bytes: true})
		c.advance(time.Second)
	}
	p.Close()
	want := "fetch packages 1.00 MB of 30.0 MB (3 %), 1.00 MB/s: curl\n" +
		"fetch packages 11.0 MB of 30.0 MB (36 %), 1.00 MB/s: curl\n" +
		"fetch packages 21.0 MB of 30.0 MB (70 %), 1.00 MB/s: curl\n" +
		"fetch packages 30.0 MB of 30.0 MB (100 %), 1.00 MB/s: curl\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProgressRewritesOneLinePerStage(t *testing.T) {
	term, out := plain()
	term.live, term.width = true, func() int { return 20 }
	c := &clock{time.Unix(1e9, 0)}
	p := term.Progress(c.read)
	for i := range int64(3) {
		p.Event(progress.Event{Stage: "one", Done: i, Total: 2, Detail: strings.Repeat("x", 50)})
		c.advance(time.Second)
	}
	p.Event(progress.Event{Stage: "two", Done: 1})
	c.advance(time.Second)
	p.Event(progress.Event{Stage: "two", Done: 2})
	p.Close()
	if got := strings.Count(out.String(), "\n"); got != 2 {
		t.Errorf("%d lines for two stages: %q", got, out)
	}
	for _, line := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if text := strings.TrimPrefix(line, "\x1b[K"); len(text) > 19 {
			t.Errorf("a line of %d characters on a terminal of 20: %q", len(text), text)
		}
	}
}

func TestProgressFromManyGoroutines(t *testing.T) {
	term, _ := plain()
	p := term.Progress(time.Now)
	done := make(chan bool)
	for range 8 {
		go func() {
			for i := range int64(100) {
				p.Event(progress.Event{Stage: "x", Done: i})
			}
			done <- true
		}()
	}
	for range 8 {
		<-done
	}
	p.Close()
}

func TestDiffIsShortAndHarmless(t *testing.T) {
	term, out := plain()
	term.Diff("  ", "@@ -1,2 +1,2 @@\n-a\x1b[2J\n+b\n \n c\n d\n", 4)
	if want := "  @@ -1,2 +1,2 @@\n  -a\uFFFD[2J\n  +b\n\n  … and 2 more lines\n"; out.String() != want {
		t.Errorf("have\n%q\nwant\n%q", out.String(), want)
	}
}
