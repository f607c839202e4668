package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grownFigure has machines of so many files, with what their builds took.
func grownFigure(names []string, files, seconds []float64) figure {
	f := figure{Measurement: "growth"}
	for i, name := range names {
		f.Rows = append(f.Rows,
			row{Name: growthOf + name + growthPackages, Median: files[i] / 50},
			row{Name: growthOf + name + growthFiles, Median: files[i]},
			row{Name: growthOf + name + growthSeconds, Unit: "s", Median: seconds[i], Least: seconds[i] * 0.9, Most: seconds[i] * 1.1},
			row{Name: growthOf + name + growthMemory, Unit: "MB", Median: 100, Least: 90, Most: 110, Limit: 500},
		)
	}
	return f
}

func TestGrowthIsAPicture(t *testing.T) {
	names := []string{"minimal", machineName, "desktop & more"}
	all := figures{{Measurement: "drift", Rows: []row{{Name: "files of the machine", Median: 1}}}, grownFigure(names, []float64{5000, 10000, 120000}, []float64{2, 5, 70})}
	machines := all.growth()
	var found []string
	for _, m := range machines {
		found = append(found, fmt.Sprint(m.name, " ", m.packages.Median, " ", m.files.Median, " ", m.seconds.Median, " ", m.memory.Median))
	}
	if diff := cmp.Diff([]string{"minimal 100 5000 2 100", machineName + " 200 10000 5 100", "desktop & more 2400 120000 70 100"}, found); diff != "" {
		t.Error(diff)
	}
	picture := curve(machines)
	// Of each of both: a machine has a point, its spread, its number and its name; ticks
	// are at 0, 50000 and 100000 files, too.
	want := map[string]int{"paper": 1, "title": 2, "axis": 4, "promise": 2, "tick": 12, "stet": 6, "spread": 6, "label": 6}
	if diff := cmp.Diff(want, classes(t, picture)); diff != "" {
		t.Errorf("%s\n%s", diff, picture)
	}
	if !strings.Contains(all.table(), "](growth.svg)") || strings.Contains(all[:1].table(), "](growth.svg)") {
		t.Error("the page shows the picture exactly where there is one")
	}
	made, err := all[:1].made(pageOf)
	if _, drawn := made[curveFile]; drawn || err != nil {
		t.Errorf("a picture is made of nothing: %v", err)
	}
	if made, err := all.made(pageOf); err != nil || made[curveFile] != picture {
		t.Errorf("the picture is not made: %v", err)
	}
}

func pageOf(string) string { return pageBegins + "\n" + pageEnds }

// TestTheLineIsLinear draws machines that take as long for each file: all are on the
// line, which ends at the largest.
func TestTheLineIsLinear(t *testing.T) {
	all := figures{grownFigure([]string{machineName, "large"}, []float64{10000, 100000}, []float64{5, 50})}
	seconds, _, _ := strings.Cut(curve(all.growth()), "peak memory")
	numbers := func(pattern string) (all []float64) {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(seconds, -1) {
			for _, text := range found[1:] {
				number, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, number)
			}
		}
		return all
	}
	line := numbers(`class="promise" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"`)
	points := numbers(`cx="([\d.]+)" cy="([\d.]+)"`)
	if len(line) != 4 || len(points) != 4 {
		t.Fatalf("a line of %v and points at %v", line, points)
	}
	slope := (line[3] - line[1]) / (line[2] - line[0])
	if on := line[1] + (points[0]-line[0])*slope; math.Abs(on-points[1]) > 0.1 {
		t.Errorf("the server is at %.1f, the line at %.1f", points[1], on)
	}
	if diff := cmp.Diff(line[2:], points[2:]); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsDrawnOfNothing(t *testing.T) {
	if picture := curve(nil); picture != "" {
		t.Error(picture)
	}
}
