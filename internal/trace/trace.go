package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"stet/internal/graph"
)

// event is one event of the Trace Event Format: a complete event ("X"), an
// instant ("i") or metadata ("M"). Times are microseconds.
type event struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Begin    float64        `json:"ts"`
	Duration *float64       `json:"dur,omitempty"`
	Scope    string         `json:"s,omitempty"` // of an instant: "t" is its thread
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// document is the format's JSON object.
type document struct {
	Events []event           `json:"traceEvents"`
	Unit   string            `json:"displayTimeUnit"`
	Other  map[string]string `json:"otherData,omitempty"`
}

// Write writes spans as Perfetto and Chrome read them. Other says what else
// belongs to the trace: the machine, the version of Stet.
//
// The format is the JSON object format of "Trace Event Format" (The Chromium
// Authors, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU).
func Write(w io.Writer, spans []graph.Span, other map[string]string) error {
	d := document{Events: []event{}, Unit: "ms", Other: other}
	lanes := arrange(spans)
	d.Events = append(d.Events, named("process_name", 0, "stet"))
	for thread, name := range lanes.names {
		d.Events = append(d.Events, named("thread_name", thread, name))
	}
	for i, s := range lanes.spans {
		d.Events = append(d.Events, eventOf(s, lanes.of[i]))
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}

// process is the number of the one process that there is.
const process = 1

func named(what string, thread int, name string) event {
	return event{Name: what, Phase: "M", Process: process, Thread: thread, Args: map[string]any{"name": name}}
}

func eventOf(s graph.Span, thread int) event {
	e := event{
		Name: nameOf(s), Category: string(s.Stage), Phase: "X",
		Begin: microseconds(s.Begin), Process: process, Thread: thread, Args: map[string]any{},
	}
	if s.Reused {
		e.Phase, e.Scope = "i", "t"
		e.Args["state"] = graph.Reused
	} else {
		took := microseconds(s.End - s.Begin)
		e.Duration = &took
	}
	if s.Failed {
		e.Args["state"] = "failed"
	}
	if s.Bytes > 0 {
		e.Args["bytes"] = s.Bytes
	}
	if s.Result != "" {
		e.Args["result"] = s.Result
	}
	if s.Note != "" {
		e.Args["note"] = s.Note
	}
	if len(e.Args) == 0 {
		e.Args = nil
	}
	return e
}

// nameOf leaves out that a script is one: its name says what of which package.
func nameOf(s graph.Span) string {
	if s.Stage == graph.Script {
		return s.Name
	}
	return s.String()
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// lanes say on which thread of the drawing each span is. What lies on one thread
// has to nest.
type lanes struct {
	spans []graph.Span
	of    []int
	names []string
}

// arrange puts steps that come one after the other, and parts into them, on the
// first thread, and what runs beside them on others. Packages are unpacked by
// several workers: each span takes the first thread on which none is.
func arrange(spans []graph.Span) lanes {
	l := lanes{spans: slices.Clone(spans)}
	slices.SortStableFunc(l.spans, func(a, b graph.Span) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(b.End, a.End))
	})
	open := map[string][]*lane{"build": nil, "unpack": nil}
	var all []*lane
	put := func(s graph.Span, group string, nests bool) {
		for _, lane := range open[group] {
			if lane.takes(s, nests) {
				l.of = append(l.of, lane.number)
				return
			}
		}
		fresh := &lane{number: len(all), open: []time.Duration{s.End}}
		l.names = append(l.names, fmt.Sprintf("%s %d", group, len(open[group])+1))
		open[group], all = append(open[group], fresh), append(all, fresh)
		l.of = append(l.of, fresh.number)
	}
	for _, s := range l.spans {
		if s.Stage == graph.Import {
			put(s, "unpack", false)
		} else {
			put(s, "build", true)
		}
	}
	return l
}

// lane is a thread with the ends of the spans that are open on it.
type lane struct {
	number int
	open   []time.Duration
}

// takes adds a span if it lies after all that are open, or, where spans nest,
// wholly within the last of them.
func (l *lane) takes(s graph.Span, nests bool) bool {
	for len(l.open) > 0 && l.open[len(l.open)-1] <= s.Begin {
		l.open = l.open[:len(l.open)-1]
	}
	if len(l.open) > 0 && (!nests || s.End > l.open[len(l.open)-1]) {
		return false
	}
	l.open = append(l.open, s.End)
	return true
}
