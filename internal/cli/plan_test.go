package cli

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
)

var update = flag.Bool("update", false, "write testdata anew")

// planned runs the report on a plan, and gives what is printed and the code.
func planned(t *testing.T, p *plan.Plan, asJSON, exitCode bool) (string, int) {
	t.Helper()
	var out bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Getenv: func(string) string { return "" }}, json: asJSON}
	err := a.reportPlan(p, exitCode)
	var failure *Failure
	switch {
	case err == nil:
		return out.String(), ExitDone
	case errors.As(err, &failure) && failure.Err == nil:
		return out.String(), failure.Code
	}
	t.Fatal(err)
	return "", 0
}

// TestPlansAreReadable prints the plans that internal/plan keeps.
func TestPlansAreReadable(t *testing.T) {
	kept, err := filepath.Glob("../plan/testdata/*.json")
	if err != nil || len(kept) < 3 {
		t.Fatalf("%v: only %v", err, kept)
	}
	for _, name := range kept {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		have, _ := planned(t, p, false, false)
		file := filepath.Join("testdata", "plan-"+strings.TrimSuffix(filepath.Base(name), ".json")+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), have); diff != "" {
			t.Errorf("%s: go test ./internal/cli -update writes it anew if that is right:\n%s", file, diff)
		}
		again, _ := planned(t, p, true, false)
		if read, err := plan.Parse([]byte(again)); err != nil || cmp.Diff(p, read) != "" {
			t.Errorf("%s: --json prints another plan: %v", name, err)
		}
	}
}

func TestPlansHaveExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		plan     plan.Plan
		exitCode bool
		want     int
	}{
		"nothing":               {plan.Plan{Kind: plan.Nothing}, false, ExitDone},
		"nothing, asked":        {plan.Plan{Kind: plan.Nothing}, true, ExitDone},
		"something":             {plan.Plan{Kind: plan.Live}, false, ExitDone},
		"something, asked":      {plan.Plan{Kind: plan.Live}, true, ExitDiffers},
		"a decision to be made": {plan.Plan{Kind: plan.Live, Decisions: []plan.Decision{{Kind: plan.DecideConflict}}}, false, ExitDiffers},
	} {
		if _, have := planned(t, &c.plan, false, c.exitCode); have != c.want {
			t.Errorf("%s: have %d, want %d", name, have, c.want)
		}
	}
}

func TestAPlanSteersNoTerminal(t *testing.T) {
	const evil = "\x1b[2J"
	out, _ := planned(t, &plan.Plan{
		Kind:      plan.Live,
		Machine:   evil,
		Decisions: []plan.Decision{{Kind: evil, What: evil, Why: evil, Remedy: evil}},
		Units:     []plan.Unit{{UnitName: plan.UnitName{Name: evil, User: evil}, Action: evil, Reasons: []plan.Reason{{Why: plan.WhyKept, What: evil}}}},
		Files:     []plan.File{{Path: "/etc/" + evil, New: &plan.Stat{Target: evil}, Diff: "+" + evil + "\n"}},
		Drift:     []plan.Drift{{Path: evil, Change: evil, Diff: evil}},
		Tasks:     []plan.Task{{Run: []string{evil}, Why: evil}},
	}, false, false)
	if strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}
