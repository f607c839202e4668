package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// The curve's measures, in pixels.
const (
	curveWidth  = 720
	curveHeight = 300 // of each of both
	curveLeft   = 50
	curveRight  = 300 // where the machines are named
	curveTop    = 40
	curveBottom = 40

	curveTick = 50000 // files
)

// grownMachine is what one machine's build took.
type grownMachine struct {
	name                             string
	packages, files, seconds, memory row
}

// growth finds the machines whose growth was measured, the smallest first.
func (all figures) growth() []grownMachine {
	var machines []grownMachine
	for _, f := range all {
		rows := map[string]row{}
		for _, r := range f.Rows {
			rows[r.Name] = r
		}
		for _, r := range f.Rows {
			name, is := strings.CutSuffix(r.Name, growthFiles)
			if name, of := strings.CutPrefix(name, growthOf); is && of {
				of := growthOf + name
				machines = append(machines, grownMachine{name, rows[of+growthPackages], r, rows[of+growthSeconds], rows[of+growthMemory]})
			}
		}
	}
	return machines
}

// curveStyle is what the curve has beside plotStyle.
const curveStyle = `  <style>
    .tick { text-anchor: middle; }
    .axis { stroke: #57606a; }
    .spread { stroke: #0969da; stroke-width: 2; }
  </style>
`

// curve draws what a build takes over the files of its machine: the seconds, and the
// memory below. The line leads from nothing through the server: on it is what takes as
// long for each file. Nothing is drawn of nothing.
func curve(machines []grownMachine) string {
	server := slices.IndexFunc(machines, func(m grownMachine) bool { return m.name == machineName })
	if server < 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
  <title>What a build takes, over the files of its machine</title>
%s  <rect class="paper" width="100%%" height="100%%" rx="8"/>
`, curveWidth, 2*curveHeight, plotStyle+curveStyle)
	s := machines[server]
	panel(&b, 0, machines, "Seconds of a build with an empty store, over files. On the line a file takes as long as one of "+machineName+".",
		func(m grownMachine) row { return m.seconds }, s.seconds.Median/s.files.Median)
	panel(&b, curveHeight, machines, "Its peak memory, over the same files. The line is the promise for thousands of packages.",
		func(m grownMachine) row { return m.memory }, 0)
	return b.String() + "</svg>\n"
}

// panel draws one of both, with the line through nothing that is so steep; without
// steepness, the promise that most machines have.
func panel(b *strings.Builder, top int, machines []grownMachine, title string, of func(grownMachine) row, steep float64) {
	var most, widest, promise float64
	for _, m := range machines {
		most, widest, promise = max(most, of(m).Most), max(widest, m.files.Median), max(promise, of(m).Limit)
	}
	most = 1.1 * max(most, promise, steep*widest)
	x := func(files float64) float64 {
		return curveLeft + files/(1.1*widest)*(curveWidth-curveLeft-curveRight)
	}
	y := func(value float64) float64 {
		return float64(top+curveHeight-curveBottom) - value/most*(curveHeight-curveTop-curveBottom)
	}
	line := func(class string, x1, y1, x2, y2 float64) {
		fmt.Fprintf(b, "  <line class=%q x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2)
	}
	text := func(class string, at, on float64, said string) {
		fmt.Fprintf(b, "  <text class=%q x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, at, on, html.EscapeString(said))
	}
	text("title", 14, float64(top+22), title)
	line("axis", curveLeft, y(0), curveWidth-curveRight, y(0))
	line("axis", curveLeft, y(0), curveLeft, y(most))
	if steep > 0 {
		line("promise", x(0), y(0), x(widest), y(steep*widest))
	} else if promise > 0 {
		line("promise", x(0), y(promise), x(widest), y(promise))
	}
	for files := 0.0; files <= 1.1*widest; files += curveTick {
		text("tick", x(files), y(0)+16, fmt.Sprintf("%.0f", files))
	}
	for i, m := range machines {
		r, at, place := of(m), x(m.files.Median), fmt.Sprint(i+1)
		line("spread", at, y(r.Least), at, y(r.Most))
		fmt.Fprintf(b, "  <circle class=\"stet\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", at, y(r.Median))
		text("tick", at, y(r.Most)-9, place)
		text("label", curveWidth-curveRight+14, float64(top+curveTop+plotRow*(len(machines)-i)), // the largest is the highest
			fmt.Sprintf("%s  %s, %.0f packages: %s", place, m.name, m.packages.Median, number(r.Median, r.Unit)))
	}
}
