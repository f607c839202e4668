package gc

import (
	"time"

	"stet/internal/generation"
)

// Policy says what may go. Without any limit only what no generation needs goes.
type Policy struct {
	Now       time.Time
	Keep      int           // the newest so many stay; 0: their number says nothing
	OlderThan time.Duration // what is younger stays; 0: age says nothing
	Free      int64         // no more goes than makes so many bytes free; 0: all that may
	Damaged   bool          // generations that cannot be read go
}

// limited reports whether generations go at all.
func (p Policy) limited() bool { return p.Keep > 0 || p.OlderThan > 0 || p.Free > 0 }

// old reports whether something is old enough to go for its age.
func (p Policy) old(made time.Time) bool { return p.OlderThan > 0 && p.Now.Sub(made) > p.OlderThan }

// candidates are the generations that may go, the oldest first.
func (p Policy) candidates(h generation.History, protected map[int]string) []int {
	if !p.limited() {
		return nil
	}
	var all []int
	for i, g := range h.Generations {
		switch {
		case protected[g.Number] != "":
		case p.Keep > 0 && i >= len(h.Generations)-p.Keep:
		case p.OlderThan > 0 && !p.old(g.Date):
		default:
			all = append(all, g.Number)
		}
	}
	return all
}

// Protected gives the generations that never go, with the reason. Used are those
// that living processes have.
func Protected(h generation.History, s generation.Standing, used map[int]string) map[int]string {
	all := map[int]string{}
	protect := func(number int, why string) {
		if _, known := all[number]; !known && number != 0 {
			all[number] = why
		}
	}
	protect(s.Booted, "booted")
	protect(s.Running, "running")
	protect(s.Default, "the default")
	protect(h.LastGood(s), "the last known good one")
	for _, g := range h.Generations {
		if g.Pinned {
			protect(g.Number, "pinned")
		}
	}
	for number, why := range used {
		protect(number, why)
	}
	protect(h.Next()-1, "the newest: numbers are not used twice")
	return all
}
