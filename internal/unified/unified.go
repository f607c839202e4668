package unified

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// context is how many equal lines stand around a change.
const context = 3

// mostWork bounds the search for the shortest difference: the number of lines
// that are taken away and added. Texts that differ in more are shown as one
// replacing the other, which is as readable.
const mostWork = 2000

// IsText reports whether a content can be shown line by line: it has no NUL in
// its beginning, where diff and git look for one.
func IsText(content []byte) bool {
	return bytes.IndexByte(content[:min(8000, len(content))], 0) < 0
}

// Diff gives the hunks that turn a into b, in the unified format of diff(1),
// without the two lines that name files. It is empty when the texts are equal.
func Diff(a, b string) string {
	script := compare(lines(a), lines(b))
	var out strings.Builder
	for done := 0; ; {
		first := done
		for first < len(script) && script[first].sign == ' ' {
			first++
		}
		if first == len(script) {
			return out.String()
		}
		end := hunkEnd(script, first)
		writeHunk(&out, script, max(done, first-context), end)
		done = end
	}
}

// lines divides a text and keeps the line feeds, so that a missing one at the
// end is a difference.
func lines(text string) []string { return slices.Collect(strings.Lines(text)) }

// step is one line of the way from a to b: kept, taken away or added. The
// numbers count the lines of a and b before it.
type step struct {
	sign byte // ' ', '-' or '+'
	line string
	a, b int
}

// hunkEnd gives the end of the hunk that has its first change at first: changes
// with no more than twice the context between them are in one hunk.
func hunkEnd(script []step, first int) int {
	last := first
	for i := first; i < len(script) && i-last <= 2*context+1; i++ {
		if script[i].sign != ' ' {
			last = i
		}
	}
	return min(len(script), last+1+context)
}

func writeHunk(out *strings.Builder, script []step, begin, end int) {
	var a, b int
	for _, s := range script[begin:end] {
		if s.sign != '+' {
			a++
		}
		if s.sign != '-' {
			b++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(script[begin].a, a), span(script[begin].b, b))
	for _, s := range script[begin:end] {
		out.WriteByte(s.sign)
		out.WriteString(s.line)
		if !strings.HasSuffix(s.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span writes where a hunk is in one text. An empty one is named by the line
// before it.
func span(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

// compare gives the shortest way from a to b, removals before additions.
func compare(a, b []string) []step {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var script []step
	x, y := 0, 0
	add := func(sign byte, line string) {
		script = append(script, step{sign, line, x, y})
		if sign != '+' {
			x++
		}
		if sign != '-' {
			y++
		}
	}
	for _, line := range a[:head] {
		add(' ', line)
	}
	for _, move := range shortest(a[head:len(a)-tail], b[head:len(b)-tail]) {
		if move == '+' {
			add(move, b[y])
		} else {
			add(move, a[x])
		}
	}
	for _, line := range a[len(a)-tail:] {
		add(' ', line)
	}
	return script
}

// shortest is the greedy algorithm of E. W. Myers, "An O(ND) Difference
// Algorithm and Its Variations" (1986). Of each round it remembers how far
// every diagonal k = x - y came.
func shortest(a, b []string) []byte {
	var rounds [][]int
	reach := []int{0} // of round d: diagonals -d … d, by k + d
	for d := 0; ; d++ {
		if d > mostWork {
			return append(bytes.Repeat([]byte{'-'}, len(a)), bytes.Repeat([]byte{'+'}, len(b))...)
		}
		next := make([]int, 2*d+1)
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				x = from(reach, d, k)
			}
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			next[k+d] = x
			if x == len(a) && y == len(b) {
				return walkBack(append(rounds, next), len(a), len(b))
			}
		}
		rounds, reach = append(rounds, next), next
	}
}

// from says where on diagonal k round d begins: one line down from diagonal
// k+1, or one to the right from k-1, whichever is farther.
func from(before []int, d, k int) int {
	at := func(k int) int { return before[k+d-1] }
	if k == -d || k != d && at(k-1) < at(k+1) {
		return at(k + 1)
	}
	return at(k-1) + 1
}

func walkBack(rounds [][]int, x, y int) []byte {
	var moves []byte
	for d := len(rounds) - 1; d > 0; d-- {
		k := x - y
		start := from(rounds[d-1], d, k)
		for x > start {
			moves = append(moves, ' ')
			x, y = x-1, y-1
		}
		before := rounds[d-1]
		if k == -d || k != d && before[k-1+d-1] < before[k+1+d-1] {
			moves = append(moves, '+')
			y--
		} else {
			moves = append(moves, '-')
			x--
		}
	}
	for ; x > 0; x-- {
		moves = append(moves, ' ')
	}
	slices.Reverse(moves)
	return moves
}
