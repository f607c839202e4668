package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyWhatWasMeasuredIsClaimed(t *testing.T) {
	first, second := claimed[0], claimed[1]
	all := figures{{Rows: []row{
		{Name: first.ours, Unit: "s", Median: 5.24}, {Name: first.theirs, Unit: "s", Median: 16.15},
		{Name: second.ours, Unit: "s", Median: 33},
	}}}
	want := "\n| | Stet | its peer |\n|---|---|---|\n| " + first.what + " | 5.24 s | " + first.who + ": 16.15 s |\n\n"
	if diff := cmp.Diff(want, all.claims()); diff != "" {
		t.Error(diff)
	}
}

// speed is how a text says that something is fast: in seconds, or by a comparison.
var speed = regexp.MustCompile(`\d ?(s|ms|sec|seconds?|minutes?|MB|GB|×)\b|(?i)\b(faster|quicker|times as|instant\w*|(half|third|fourth|fifth|sixth|tenth) of the time)\b`)

// TestTheReadmeClaimsNothingElse holds the README to the table: all that it says of speed
// is made of the figures.
func TestTheReadmeClaimsNothingElse(t *testing.T) {
	t.Chdir("..")
	before, made, _ := strings.Cut(readText(claimsFile), pageBegins)
	made, after, ends := strings.Cut(made, pageEnds)
	if !ends || !speed.MatchString(made) {
		t.Errorf("%s says nothing of speed between %q and %q", claimsFile, pageBegins, pageEnds)
	}
	if said := speed.FindAllString(before+after, -1); said != nil {
		t.Errorf("%s says %q beside what bench makes of its figures: take it out, or measure it and claim it in bench/page.go", claimsFile, said)
	}
}
