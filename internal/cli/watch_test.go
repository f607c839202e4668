package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/drift"
	"stet/internal/plan"
)

func TestALookTellsWhatIsNew(t *testing.T) {
	motd := driftedFinding{Finding: drift.Finding{Kind: drift.File, Name: "/etc/motd", Change: plan.Modified}}
	ada := driftedFinding{Finding: drift.Finding{Kind: drift.User, Name: "ada", Change: plan.Added}}
	l := live{installed: installed{root: t.TempDir()}}
	if err := os.MkdirAll(l.at("/run/stet"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name  string
		found []driftedFinding
		want  string
		login bool
	}{
		{"nothing", nil, "", false},
		{"two", []driftedFinding{motd, ada}, "new: file modified /etc/motd\nnew: user added ada\n", true},
		{"the same", []driftedFinding{motd, ada}, "", true},
		{"one less", []driftedFinding{ada}, "gone: file modified /etc/motd\n", true},
		{"none", nil, "gone: user added ada\n", false},
	} {
		t.Run(step.name, func(t *testing.T) {
			last, err := l.lastLook()
			if err != nil {
				t.Fatal(err)
			}
			now := driftReport{Machine: "web", Findings: step.found}.since(last, time.Unix(1790000000, 0))
			if err := l.remember(now); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			(&app{Environment: Environment{Stdout: &out}}).printLook(now)
			if out.String() != step.want {
				t.Errorf("have %q, want %q", out.String(), step.want)
			}
			if _, err := os.Stat(l.at(driftNotice)); (err == nil) != step.login {
				t.Errorf("a notice for who logs in: %v, want %v", err == nil, step.login)
			}
		})
	}
}

func TestMetricsAreWhatPrometheusReads(t *testing.T) {
	now := driftReport{Machine: "web", System: strings.Repeat("a", 64), Generation: 3, Findings: []driftedFinding{
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/a"}}, {Finding: drift.Finding{Kind: drift.File, Name: "/etc/b"}},
		{Finding: drift.Finding{Kind: drift.Unit, Name: "a.service"}},
	}}.since(look{}, time.Unix(1790000000, 0))
	dir := t.TempDir()
	if err := replace(filepath.Join(dir, metricsName), now.metrics()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside each other, %v", len(entries), err)
	}
	const file = "testdata/drift.prom"
	if *update {
		if err := os.WriteFile(file, []byte(now.metrics()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(filepath.Join(dir, metricsName))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("-want +have\n%s", diff)
	}
}
