package unified

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stet/internal/source"
)

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want string }{
		"equal":            {"a\n", "a\n", ""},
		"a changed line":   {"a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		"a new file":       {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"a removed file":   {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		"no newline":       {"a\nb", "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
		"little context":   {"1\n2\n3\n4\n5\n", "1\n2\n3\n4\n", "@@ -2,4 +2,3 @@\n 2\n 3\n 4\n-5\n"},
		"far apart":        {numbers(1, 20), "x\n" + numbers(2, 19) + "y\n", "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+y\n"},
		"near each other":  {numbers(1, 8), "x\n" + numbers(2, 7) + "y\n", "@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n"},
		"a line taken out": {"a\nb\nb\nc\n", "a\nb\nc\n", "@@ -1,4 +1,3 @@\n a\n b\n-b\n c\n"},
	} {
		if have := Diff(c.a, c.b); have != c.want {
			t.Errorf("%s: have\n%swant\n%s", name, have, c.want)
		}
	}
}

func numbers(from, to int) string {
	var out strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintln(&out, i)
	}
	return out.String()
}

func TestTextsThatDifferInEverythingAreReplaced(t *testing.T) {
	a, b := numbers(0, 3000), numbers(10_000, 13_000)
	have := Diff(a, b)
	if again, err := apply(a, have); err != nil || again != b {
		t.Errorf("%v", err)
	}
}

func TestIsText(t *testing.T) {
	if !IsText([]byte("größe\n")) || !IsText(nil) || IsText([]byte("\x7fELF\x02\x01\x01\x00")) {
		t.Error("text and binary are mixed up")
	}
}

func drawText(t *rapid.T, label string) string {
	all := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "{", "}", ""}), 0, 40).Draw(t, label)
	end := rapid.SampledFrom([]string{"\n", "", "z"}).Draw(t, label+" end")
	return strings.Join(all, "\n") + end
}

func TestADiffTurnsOneTextIntoTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawText(t, "a"), drawText(t, "b")
		hunks := Diff(a, b)
		if again, err := apply(a, hunks); err != nil || again != b {
			t.Fatalf("%v: %q\n%s", err, again, hunks)
		}
	})
}

// TestGitAppliesWhatWeWrite has git read the format.
func TestGitAppliesWhatWeWrite(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		if n++; n > 25 {
			return // each costs a process
		}
		a, b := drawText(r, "a"), drawText(r, "b")
		if a == b || a == "" || b == "" {
			return // git has other headers for files that come and go
		}
		file := filepath.Join(dir, "f")
		if err := os.WriteFile(file, []byte(a), 0o600); err != nil {
			r.Fatal(err)
		}
		command := source.Git(t.Context(), dir, "apply", "--unidiff-zero", "-")
		command.Stdin = strings.NewReader("--- a/f\n+++ b/f\n" + Diff(a, b))
		if out, err := command.CombinedOutput(); err != nil {
			r.Fatalf("%v: %s\n%q\n%q\n%s", err, out, a, b, Diff(a, b))
		}
		have, err := os.ReadFile(file)
		if err != nil || string(have) != b {
			r.Fatalf("%v: git made %q of %q, not %q", err, have, a, b)
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\n", "a\nc")
	f.Fuzz(func(t *testing.T, a, b string) {
		if again, err := apply(a, Diff(a, b)); err != nil || again != b {
			t.Errorf("%v: %q", err, again)
		}
	})
}

// apply is a simple patch(1): it believes the line numbers and checks lines.
func apply(a, hunks string) (string, error) {
	old, at := lines(a), 0
	var out []string
	all := lines(hunks)
	for i := 0; i < len(all); i++ {
		line := all[i]
		if strings.HasPrefix(line, "@@ -") {
			first, count, _ := strings.Cut(strings.Fields(line)[1][1:], ",")
			n, err := strconv.Atoi(first)
			if err != nil {
				return "", err
			}
			if count != "0" {
				n--
			}
			out, at = append(out, old[at:n]...), n
			continue
		}
		text := line[1:]
		if i+1 < len(all) && strings.HasPrefix(all[i+1], `\ `) {
			text = strings.TrimSuffix(text, "\n")
			i++
		}
		if line[0] != '+' {
			if at >= len(old) || old[at] != text {
				return "", fmt.Errorf("line %d is not %q", at+1, text)
			}
			at++
		}
		if line[0] != '-' {
			out = append(out, text)
		}
	}
	return strings.Join(append(out, old[at:]...), ""), nil
}
