package term

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"stet/internal/progress"
)

const (
	patience   = 500 * time.Millisecond // work shorter than this is not spoken of
	redraw     = 100 * time.Millisecond // how often a line is rewritten
	sparseStep = 10 * time.Second       // how often a plain stream gets a line
)

// Progress shows events: on a terminal one line per stage that is rewritten,
// elsewhere a line now and then. Close it before writing anything else.
type Progress struct {
	term  *Terminal
	clock func() time.Time

	mu     sync.Mutex
	stages map[string]*stage
	drawn  bool // an unfinished line is on the terminal
}

type stage struct {
	began, shown time.Time
	last         progress.Event
	closed       bool
}

// Progress begins to show progress; clock is time.Now outside tests.
func (t *Terminal) Progress(clock func() time.Time) *Progress {
	return &Progress{term: t, clock: clock, stages: map[string]*stage{}}
}

// Event shows one event; it is a [progress.Func] and safe to call from
// several goroutines.
func (p *Progress) Event(e progress.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	s, ok := p.stages[e.Stage]
	if !ok {
		s = &stage{began: now}
		p.stages[e.Stage] = s
	}
	s.last = e
	if now.Sub(s.began) < patience {
		return
	}
	every := redraw
	if !p.term.live {
		every = sparseStep
	}
	finished := e.Total > 0 && e.Done >= e.Total
	if s.closed || !s.shown.IsZero() && now.Sub(s.shown) < every && !finished {
		return
	}
	s.shown = now
	if !p.term.live {
		fmt.Fprintln(p.term.out, p.line(s.last, now.Sub(s.began)))
		s.closed = finished
		return
	}
	// Stages that run side by side share the line; each leaves its last one.
	p.drawn = true
	text := []rune(p.line(s.last, now.Sub(s.began)))
	if width := p.term.width() - 1; len(text) > width && width > 0 {
		text = text[:width]
	}
	fmt.Fprintf(p.term.out, "\r\x1b[K%s", p.term.style(styleFaint, string(text)))
	if finished {
		fmt.Fprintln(p.term.out)
		s.closed, p.drawn = true, false
	}
}

// Close ends an open line.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprintln(p.term.out)
		p.drawn = false
	}
}

func (p *Progress) line(e progress.Event, elapsed time.Duration) string {
	var b strings.Builder
	b.WriteString(clean(e.Stage))
	amount := func(n int64) string { return fmt.Sprint(n) }
	if e.Bytes {
		amount = Bytes
	}
	switch {
	case e.Total > 0:
		fmt.Fprintf(&b, " %s of %s (%d %%)", amount(e.Done), amount(e.Total), int(float64(e.Done)/float64(e.Total)*100))
	case e.Done > 0:
		b.WriteString(" " + amount(e.Done))
	}
	if seconds := elapsed.Seconds(); e.Bytes && e.Done > 0 && seconds > 0 {
		fmt.Fprintf(&b, ", %s/s", Bytes(int64(float64(e.Done)/seconds)))
	}
	if e.Detail != "" {
		b.WriteString(": " + clean(e.Detail))
	}
	return b.String()
}

// Bytes writes a size in powers of 1000 with three digits, as disks are sold.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < 5 {
		value, unit = value/1000, unit+1
	}
	digits := 2
	if value >= 9.995 {
		digits = 1
	}
	if value >= 99.95 {
		digits = 0
	}
	return fmt.Sprintf("%.*f %cB", digits, value, " kMGTP"[unit])
}
