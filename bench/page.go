package main

import (
	"fmt"
	"strings"
)

// What is between these lines of a page is made of the figures.
const (
	pageBegins = "<!-- made by bench -->"
	pageEnds   = "<!-- the end of what bench makes -->"
)

// page puts a table of the figures into a page.
func (all figures) page(text string) (string, error) {
	before, rest, begins := strings.Cut(text, pageBegins)
	_, after, ends := strings.Cut(rest, pageEnds)
	if !begins || !ends {
		return "", fmt.Errorf("%s has no place for the figures: %q and %q", pageFile, pageBegins, pageEnds)
	}
	return before + pageBegins + "\n" + all.table() + pageEnds + after, nil
}

// table is all figures in Markdown: what was measured at one commit of the same machine
// is below one line that says so.
func (all figures) table() string {
	var b strings.Builder
	for i, f := range all {
		if i == 0 || all[i-1].Commit != f.Commit || all[i-1].Date != f.Date || all[i-1].Machine != f.Machine {
			fmt.Fprintf(&b, "\nAt %s, %s, on %s:\n\n| | median | least to most | runs | promise |\n|---|---|---|---|---|\n", f.Commit, f.Date, f.Machine)
		}
		for _, r := range f.Rows {
			spread, promise := "", ""
			if r.Runs > 1 {
				spread = number(r.Least, r.Unit) + " to " + number(r.Most, r.Unit)
			}
			if r.Limit > 0 {
				promise = "≤ " + number(r.Limit, r.Unit)
				if r.Median > r.Limit {
					promise += ", **missed**"
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s |\n", r.Name, number(r.Median, r.Unit), spread, r.Runs, promise)
		}
	}
	return b.String() + "\n"
}
