package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "make the pages and pictures of the kept figures again")

// TestThePageIsMadeOfTheFigures holds what is committed against what would be written.
func TestThePageIsMadeOfTheFigures(t *testing.T) {
	t.Chdir("..")
	all, err := readFigures(figuresFile)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d figures, %v", len(all), err)
	}
	made, err := all.made(readText)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Error(err)
			}
		} else if diff := cmp.Diff(readText(name), want); diff != "" {
			t.Errorf("%s is another: \"make pages\" makes it\n%s", name, diff)
		}
	}
	for _, f := range all {
		if len(f.Rows) == 0 || f.Commit == "" || f.Machine == "" {
			t.Errorf("%s says too little: %+v", f.Measurement, f)
		}
	}
}

func TestPlotIsAPicture(t *testing.T) {
	all := figures{{Measurement: "drift", Rows: []row{
		{Name: "a & b <c>", Ratio: true, Median: 0.4, Limit: 0.5}, {Name: "none", Unit: "s", Median: 3},
		{Name: "large", Ratio: true, Median: 7, Limit: 1.5},
	}}}
	want := map[string]int{"paper": 1, "name": 2, "peer": 2, "stet": 1, "missed": 1, "promise": 2}
	if diff := cmp.Diff(want, classes(t, all.plot())); diff != "" {
		t.Error(diff)
	}
}

// classes counts the elements of a picture by their class.
func classes(t *testing.T, picture string) map[string]int {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(picture))
	found := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, picture)
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, a := range start.Attr {
				if a.Name.Local == "class" {
					found[a.Value]++
				}
			}
		}
	}
}

func TestFiguresAreMerged(t *testing.T) {
	now := time.Date(2026, 11, 27, 23, 0, 0, 0, time.UTC)
	h := host{Processor: "One", CPUs: 2, MemoryMB: 8, Kernel: "6.12", FileSystem: "ext4"}
	of := func(measurement, commit string, ours float64) figure {
		a, b := measured("ours", "s", []float64{ours, ours}, 2), measured("theirs", "s", []float64{2}, 0)
		return figureOf(measurement, commit, now, h, []result{a, b, ratio("ours / theirs", a, b, 0.5)})
	}
	kept := figures{of("initrd", "aaa", 0.5), of("drift", "aaa", 1)}
	newer := figures{of("drift", "bbb", 3), of("lock", "bbb", 1)}
	var order []string
	all := kept.with(newer)
	for _, f := range all {
		order = append(order, f.Measurement+" "+f.Commit)
	}
	if diff := cmp.Diff([]string{"lock bbb", "initrd aaa", "drift bbb"}, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ours / theirs: 1.500, at aaa it was 0.500"}, kept.worse(newer)); diff != "" {
		t.Error(diff)
	}
	if said := kept.worse(figures{of("drift", "bbb", 1.2)}); len(said) != 0 {
		t.Errorf("a little more is worse: %q", said)
	}
	page, err := put("page.md", "# Fast\n\n"+pageBegins+"\nold\n"+pageEnds+"\n\nWhy.\n", all.table())
	if err != nil {
		t.Fatal(err)
	}
	want := "\n| ours | 3.00 s | 3.00 s to 3.00 s | 2 | ≤ 2.00 s, **missed** |\n| theirs | 2.00 s |  | 1 |  |\n| ours / theirs | 1.50 |  | 1 | ≤ 0.50, **missed** |\n\n" + pageEnds + "\n\nWhy.\n"
	if !strings.HasPrefix(page, "# Fast\n\n"+pageBegins+"\n\nAt bbb, 2026-11-27, on One, 2 CPUs, 8 MB, Linux 6.12, ext4:\n") || !strings.HasSuffix(page, want) || strings.Count(page, "At aaa") != 1 {
		t.Errorf("%s", page)
	}
	if _, err := put("page.md", "# Fast\n", ""); err == nil || !strings.Contains(err.Error(), "page.md") {
		t.Error("a page without a place is written")
	}
}

func TestFiguresThatCannotBeRead(t *testing.T) {
	name := t.TempDir() + "/figures.json"
	if all, err := readFigures(name); all != nil || err != nil {
		t.Errorf("without a file: %v, %v", all, err)
	}
	if err := os.WriteFile(name, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readFigures(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("what is no JSON: %v", err)
	}
}
