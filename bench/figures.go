package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Where the figures are kept, and what is made of them.
const (
	figuresFile = "bench/figures.json"
	pageFile    = "docs/performance.md"
	plotFile    = "docs/performance.svg"
	curveFile   = "docs/growth.svg"
	claimsFile  = "README.md"
)

// figures are what each measurement found last, in the order of measurements.
type figures []figure

// figure is what one measurement found, and what that means nothing without.
type figure struct {
	Measurement string `json:"measurement"`
	Commit      string `json:"commit"`
	Date        string `json:"date"` // YYYY-MM-DD
	Machine     string `json:"machine"`
	Rows        []row  `json:"rows"`
}

// row is a result without its single values.
type row struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit,omitempty"` // "s", "MB"
	Ratio  bool    `json:"ratio,omitempty"`
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Runs   int     `json:"runs"`
	Limit  float64 `json:"limit,omitempty"` // the largest median that keeps the promise
}

// figureOf makes a figure of results.
func figureOf(measurement, commit string, now time.Time, h host, results []result) figure {
	f := figure{
		Measurement: measurement, Commit: commit, Date: now.UTC().Format(time.DateOnly),
		Machine: fmt.Sprintf("%s, %d CPUs, %d MB, Linux %s, %s", h.Processor, h.CPUs, h.MemoryMB, h.Kernel, h.FileSystem),
	}
	for _, r := range results {
		f.Rows = append(f.Rows, row{r.Name, r.Unit, r.Ratio, r.Median, r.Least, r.Most, len(r.Values), r.Limit})
	}
	return f
}

// readFigures reads those of a file; none, where there is no file.
func readFigures(name string) (all figures, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return all, nil
}

// with puts figures in the place of those of the same measurements.
func (all figures) with(newer figures) figures {
	all = slices.Clone(all)
	for _, f := range newer {
		if i := slices.IndexFunc(all, func(g figure) bool { return g.Measurement == f.Measurement }); i >= 0 {
			all[i] = f
		} else {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b figure) int {
		return slices.Index(names(), a.Measurement) - slices.Index(names(), b.Measurement)
	})
	return all
}

// tolerance is how much larger a ratio may be than it was before it counts as worse: on
// an idle machine they differ by less.
const tolerance = 1.25

// worse says which ratios are worse than they were. Seconds are another machine's
// tomorrow, and are not compared.
func (all figures) worse(newer figures) []string {
	var said []string
	for _, f := range newer {
		for _, g := range all {
			for _, is := range f.Rows {
				i := slices.IndexFunc(g.Rows, func(was row) bool { return was.Name == is.Name })
				if g.Measurement != f.Measurement || i < 0 || !is.Ratio {
					continue
				}
				if was := g.Rows[i].Median; is.Median > tolerance*was {
					said = append(said, fmt.Sprintf("%s: %.3f, at %s it was %.3f", is.Name, is.Median, g.Commit, was))
				}
			}
		}
	}
	return said
}

// save writes figures, and what is made of them.
func (all figures) save() error {
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	made, err := all.made(readText)
	if err != nil {
		return err
	}
	made[figuresFile] = string(text) + "\n"
	for name, text := range made {
		err = errors.Join(err, os.WriteFile(name, []byte(text), 0o644))
	}
	return err
}

// made gives all files that are made of the figures, by name; what is beside the
// figures on a page stays.
func (all figures) made(read func(name string) string) (map[string]string, error) {
	files := map[string]string{plotFile: all.plot()}
	if picture := curve(all.growth()); picture != "" {
		files[curveFile] = picture
	}
	for name, table := range map[string]string{pageFile: all.table(), claimsFile: all.claims()} {
		page, err := put(name, read(name), table)
		if err != nil {
			return nil, err
		}
		files[name] = page
	}
	return files, nil
}

// commit names what is measured: the commit that is checked out, with a plus where
// files are others than those that a run before this one made.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=9", "HEAD").Output()
	if err != nil {
		return "no commit"
	}
	name := strings.TrimSpace(string(head))
	status := []string{"status", "--porcelain", "--untracked-files=no", "--", "."}
	for _, made := range []string{figuresFile, pageFile, plotFile, curveFile, claimsFile} {
		status = append(status, ":!"+made)
	}
	if changed, err := exec.Command("git", status...).Output(); err != nil || len(changed) > 0 {
		name += "+"
	}
	return name
}
