package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"stet/internal/term"
)

// report is what a run of this program found.
type report struct {
	Host    host     `json:"host"`
	Results []result `json:"results"`
}

// result is one thing that was measured, several times where it varies.
type result struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"` // "s", "MB", "" for a number
	Ratio  bool      `json:"ratio,omitempty"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	// Limit is the largest median that keeps the promise; 0 where there is none.
	Limit float64 `json:"limit,omitempty"`
	Kept  *bool   `json:"kept,omitempty"`
}

// measured sums values up.
func measured(name, unit string, values []float64, limit float64) result {
	sorted := slices.Sorted(slices.Values(values))
	r := result{Name: name, Unit: unit, Values: values, Limit: limit}
	if len(sorted) == 0 {
		return r
	}
	r.Least, r.Most = sorted[0], sorted[len(sorted)-1]
	middle := len(sorted) / 2
	if r.Median = sorted[middle]; len(sorted)%2 == 0 {
		r.Median = (sorted[middle-1] + sorted[middle]) / 2
	}
	if limit > 0 {
		kept := r.Median <= limit
		r.Kept = &kept
	}
	return r
}

// ratio holds one median against another.
func ratio(name string, ours, theirs result, limit float64) result {
	r := measured(name, "", []float64{ours.Median / theirs.Median}, limit)
	r.Ratio = true
	return r
}

func (r report) print(out io.Writer) error {
	h := r.Host
	fmt.Fprintf(out, "%s, %d CPUs, %d MB of memory, Linux %s, %s on %s\nload average before %s, after %s\n\n",
		h.Processor, h.CPUs, h.MemoryMB, h.Kernel, h.Directory, h.FileSystem, h.LoadBefore, h.LoadAfter)
	rows := [][]string{{"", "median", "least", "most", "runs", "promise"}}
	for _, m := range r.Results {
		promise := ""
		if m.Kept != nil {
			word := map[bool]string{true: "kept", false: "MISSED"}[*m.Kept]
			promise = fmt.Sprintf("≤ %s: %s", number(m.Limit, m.Unit), word)
		}
		least, most := number(m.Least, m.Unit), number(m.Most, m.Unit)
		if len(m.Values) == 1 {
			least, most = "", ""
		}
		rows = append(rows, []string{m.Name, number(m.Median, m.Unit), least, most, fmt.Sprint(len(m.Values)), promise})
	}
	term.Table(out, rows)
	return nil
}

// number writes a value as exactly as it says something.
func number(value float64, unit string) string {
	text := fmt.Sprintf("%.2f", value)
	switch {
	case value >= 100, unit == "" && value >= 10: // what is counted
		text = fmt.Sprintf("%.0f", value)
	case unit == "" && value >= 0.001 && value < 0.1: // 0.0127 is not 1/80
		text = strings.TrimRight(fmt.Sprintf("%.4f", value), "0")
	case value < 1: // two digits of 0.328 are those of what misses 1/3, too
		text = strings.TrimSuffix(fmt.Sprintf("%.3f", value), "0")
	}
	return strings.TrimSpace(text + " " + unit)
}
