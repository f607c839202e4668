package main

import (
	"fmt"
	"html"
	"strings"
)

// The plot's measures, in pixels.
const (
	plotLabels = 330 // for names
	plotScale  = 200 // the peer's bar
	plotRow    = 26
	plotBar    = 14
	plotHead   = 56
	plotWidth  = 720
)

// plotStyle is how both pictures look.
const plotStyle = `  <style>
    text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #24292f; }
    .name { text-anchor: end; }
    .paper { fill: #ffffff; }
    .peer { fill: #d0d7de; }
    .stet { fill: #0969da; }
    .missed { fill: #bf8700; }
    .promise { stroke: #24292f; stroke-width: 2; }
  </style>
`

// plot draws each ratio as a bar over its peer's, which is as long for all, with a line
// where the promise is. What is longer than the picture is cut off there: its number
// says how long it is.
func (all figures) plot() string {
	var ratios []row
	for _, f := range all {
		for _, r := range f.Rows {
			if r.Ratio {
				ratios = append(ratios, r)
			}
		}
	}
	height := plotHead + plotRow*len(ratios) + 10
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
  <title>What Stet takes, where its peer takes 1</title>
%s  <rect class="paper" width="100%%" height="100%%" rx="8"/>
`, plotWidth, height, plotStyle)
	fmt.Fprintf(&b, "  <text x=\"14\" y=\"26\">What Stet takes, over what its peer takes, which is 1. The line is the promise.</text>\n")
	fmt.Fprintf(&b, "  <text x=\"%d\" y=\"44\">1</text>\n", plotLabels+10+plotScale-4)
	for i, r := range ratios {
		top := plotHead + plotRow*i
		class := "stet"
		if r.Limit > 0 && r.Median > r.Limit {
			class = "missed"
		}
		longest := plotWidth - plotLabels - 60
		fmt.Fprintf(&b, "  <text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", plotLabels, top+plotBar-2, html.EscapeString(r.Name))
		fmt.Fprintf(&b, "  <rect class=\"peer\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", plotLabels+10, top, plotScale, plotBar)
		fmt.Fprintf(&b, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", class, plotLabels+10, top+3, min(r.Median*plotScale, float64(longest)), plotBar-6)
		if r.Limit > 0 {
			at := plotLabels + 10 + min(r.Limit*plotScale, float64(longest))
			fmt.Fprintf(&b, "  <line class=\"promise\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", at, top-2, at, top+plotBar+2)
		}
		fmt.Fprintf(&b, "  <text x=\"%d\" y=\"%d\">%.2f</text>\n", plotWidth-42, top+plotBar-2, r.Median)
	}
	return b.String() + "</svg>\n"
}
