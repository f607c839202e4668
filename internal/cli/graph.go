package cli

import (
	"fmt"
	"slices"
	"strings"

	"stet/internal/graph"
	"stet/internal/store"
	"stet/internal/term"
)

// recordInputs keeps what a system was built from, under the machine's name, and
// gives what was kept of the build before. It is no part of any system: what
// cannot be written only leaves the next build unexplained.
func recordInputs(s *store.Store, name, key string, record func() (*graph.Record, error)) (before []byte) {
	before, _ = s.Inputs(name)
	if graph.IsOf(before, key) {
		return before
	}
	made, err := record()
	if err != nil {
		return before
	}
	if text, err := made.Text(); err == nil {
		_ = s.SetInputs(name, text)
	}
	return before
}

// explained is the graph of a build that was observed.
func (a *app) explained(s *store.Store, built *builtMachine) ([]graph.Node, error) {
	inputs, err := built.Inputs()
	if err != nil {
		return nil, err
	}
	return graph.Explain(graph.Facts{
		Spans: a.observed.all(), Units: built.Units(s), Now: inputs, Last: graph.ParseRecord(built.before),
	}), nil
}

// printGraph shows the graph: of each stage a row for what was made, one for what
// came out the same, and one for what was there.
func (a *app) printGraph(nodes []graph.Node) {
	var rows [][]string
	for len(nodes) > 0 {
		end := slices.IndexFunc(nodes, func(n graph.Node) bool { return n.Stage != nodes[0].Stage })
		if end < 0 {
			end = len(nodes)
		}
		for _, state := range []graph.State{graph.Made, graph.Same, graph.Reused} {
			of := slices.DeleteFunc(slices.Clone(nodes[:end]), func(n graph.Node) bool { return n.State != state })
			if len(of) > 0 {
				rows = append(rows, a.graphRow(of))
			}
		}
		nodes = nodes[end:]
	}
	term.Table(a.Stdout, rows)
}

// mostNames is how many names a row has; more are counted.
const mostNames = 4

// graphRow is a row of nodes that have stage and state in common.
func (a *app) graphRow(of []graph.Node) []string {
	var names []string
	var seconds float64
	var bytes int64
	for _, n := range of {
		names = append(names, n.Name)
		seconds += n.Seconds
		bytes += n.Bytes
	}
	label, state := "  "+string(of[0].Stage), shownStates[of[0].State]
	if of[0].Stage == graph.Import || len(names) > mostNames {
		state = fmt.Sprintf("%d %s", len(names), state)
	} else {
		label = strings.TrimRight(label+" "+strings.Join(names, ", "), " ")
	}
	row := []string{label, state, "", "", a.graphReason(of)}
	if of[0].State != graph.Reused {
		row[2] = fmt.Sprintf("%.2f s", seconds)
	}
	if bytes > 0 {
		row[3] = term.Bytes(bytes)
	}
	return row
}

var shownStates = map[graph.State]string{graph.Made: "made", graph.Same: "the same", graph.Reused: "reused"}

// shownReasons are what people read where no change is to be told.
var shownReasons = map[string]string{
	graph.Unrecorded: "no record of the build before",
	graph.Forgotten:  "unchanged, but no longer in the store",
	graph.Absent:     "no untouched one of this commit was there",
}

// graphReason tells each reason of some nodes once.
func (a *app) graphReason(of []graph.Node) string {
	var reasons []string
	for _, n := range of {
		for _, c := range n.Changes {
			reasons = append(reasons, c.String())
		}
		reason := shownReasons[n.Reason]
		if n.Stage == graph.Import && n.Reason == graph.Forgotten {
			name, _, _ := strings.Cut(n.Name, ":")
			reason = name + " (no longer in the store)"
		}
		for _, told := range []string{reason, n.Note} {
			if told != "" {
				reasons = append(reasons, told)
			}
		}
	}
	seen := map[string]bool{}
	reasons = slices.DeleteFunc(reasons, func(r string) bool {
		had := seen[r]
		seen[r] = true
		return had
	})
	if more := len(reasons) - mostNames; more > 0 && !a.verbose {
		reasons = append(reasons[:mostNames], fmt.Sprintf("… and %d more", more))
	}
	return strings.Join(reasons, ", ")
}
