package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stet/internal/generation"
	"stet/internal/past"
)

// whyGeneration is how a thing is in one generation.
type whyGeneration struct {
	Number  int       `json:"number"`
	Date    time.Time `json:"date"`
	Commit  string    `json:"commit,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Dirty   bool      `json:"dirty"`
	Has     bool      `json:"has"`
	Same    bool      `json:"same"`            // as in the system that runs
	Value   string    `json:"value,omitempty"` // a version, or what a variable is set to
	Problem string    `json:"problem,omitempty"`
}

// tell fills in how the thing of a report was in all generations, and what is not
// known.
func (r *whyRunning) tell(report *whyReport) error {
	report.Generation = r.number
	report.Notes = append(report.Notes, r.notes...)
	now := past.Look{}
	looks := make([]past.Look, len(r.history.Generations))
	all := make([]whyGeneration, len(looks))
	for n, g := range r.history.Generations {
		all[n] = whyGeneration{Number: g.Number, Date: g.Date, Commit: g.ID, Subject: g.Subject, Dirty: g.Dirty}
		look, err := r.look(g, report)
		if err != nil {
			all[n].Problem = err.Error()
			continue
		}
		if g.Number == r.number {
			now = look
		}
		looks[n], all[n].Has, all[n].Value = look, look.Has(), look.Value
	}
	if !now.Has() {
		return nil // nothing that systems have by name
	}
	for n := range all {
		all[n].Same = all[n].Problem == "" && looks[n] == now
	}
	report.History = all
	return nil
}

// look tells of a thing what its system has, and of an option whether it was there.
func (r *whyRunning) look(g generation.Generation, report *whyReport) (past.Look, error) {
	if report.thing != (past.Thing{}) {
		return r.past.Look(g.System, report.thing)
	}
	if g.SourceMap.IsZero() {
		return past.Look{}, nil
	}
	places, err := r.sourceMap(g)
	if err != nil {
		return past.Look{}, err
	}
	if _, ok := places.at(report.What); !ok {
		return past.Look{}, nil
	}
	return past.Look{Is: report.What}, nil
}

// sourceMap reads where a generation was written, once.
func (r *whyRunning) sourceMap(g generation.Generation) (mapped, error) {
	if places, known := r.maps[g.SourceMap]; known {
		return places, nil
	}
	places, err := readSourceMap(r.store, g)
	if err != nil {
		return nil, err
	}
	r.maps[g.SourceMap] = places
	return places, nil
}

// since gives the first of the generations without a break in which the thing is as
// it is in the one that runs; -1 when nothing is known of that.
func (r *whyReport) since() (first, running int) {
	running = slices.IndexFunc(r.History, func(g whyGeneration) bool { return g.Number == r.Generation })
	first = running
	for first > 0 && r.History[first-1].Same {
		first--
	}
	return first, running
}

// historyLines tell since when the thing is as it is, and how it was in the other
// generations.
func (r *whyReport) historyLines() []string {
	first, running := r.since()
	if running < 0 {
		return nil
	}
	g := r.History[first]
	line := "as it is"
	switch {
	case g.Value != "":
		line = g.Value
	case r.thing == past.Thing{}:
		line = "declared"
	}
	about := []string{g.Date.Local().Format("2006-01-02")}
	if g.Commit != "" {
		about = append(about, g.Commit[:min(len(g.Commit), 10)]+map[bool]string{true: "+"}[g.Dirty]+" "+shortened(g.Subject, 50))
	}
	line += fmt.Sprintf(" since generation %d (%s)", g.Number, strings.Join(about, ", "))
	if first == 0 && g.Number > 1 {
		line += ", the oldest that is there"
	}
	lines := []string{line}
	if first > 0 {
		lines = append(lines, "before: "+howIn(r.History[:first]))
	}
	if later := r.History[running+1:]; slices.ContainsFunc(later, func(g whyGeneration) bool { return !g.Same }) {
		lines = append(lines, "later: "+howIn(later))
	}
	return lines
}

// howIn groups generations by how they have a thing, the newest first.
func howIn(all []whyGeneration) string {
	var order []string
	numbers := map[string][]int{}
	for _, g := range slices.Backward(all) {
		how := cmp.Or(g.Value, "otherwise")
		switch {
		case g.Problem != "":
			how = "unknown"
		case !g.Has:
			how = "not"
		case g.Same:
			how = "the same"
		}
		if numbers[how] == nil {
			order = append(order, how)
		}
		numbers[how] = append([]int{g.Number}, numbers[how]...)
	}
	for n, how := range order {
		order[n] = how + " in " + spans(numbers[how])
	}
	return strings.Join(order, ", ")
}

// spans writes ascending numbers: 1 to 3 and 5.
func spans(numbers []int) string {
	var parts []string
	for len(numbers) > 0 {
		end := 1
		for end < len(numbers) && numbers[end] == numbers[end-1]+1 {
			end++
		}
		switch end {
		case 1:
			parts = append(parts, fmt.Sprint(numbers[0]))
		case 2:
			parts = append(parts, fmt.Sprint(numbers[0]), fmt.Sprint(numbers[1]))
		default:
			parts = append(parts, fmt.Sprintf("%d to %d", numbers[0], numbers[end-1]))
		}
		numbers = numbers[end:]
	}
	return listed(parts)
}

// listed joins words as a sentence does.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
