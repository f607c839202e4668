package cli

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/config"
	"stet/internal/drift"
	"stet/internal/integrity"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/system/systemtest"
)

func TestDriftIsReadable(t *testing.T) {
	report := &driftReport{Machine: "web", System: strings.Repeat("a", 64), Generation: 3, Findings: []driftedFinding{
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/motd", Change: plan.Modified, Diff: "@@ -1 +1 @@\n-declared\n+changed\n"}, Option: `files."/etc/motd"`, Place: &config.Place{File: "stet.yaml", Line: 12, Column: 3}},
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/nginx/mime.types", Change: plan.Deleted}, Packages: []string{"nginx-common"}},
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/secret\x1b[2J", Change: plan.Added, Hidden: plan.HiddenSecret}},
		{Finding: drift.Finding{Kind: drift.Unit, Name: "broken.service", Change: plan.Modified, What: "has failed"}},
		{Finding: drift.Finding{Kind: drift.User, Name: "intruder", Change: plan.Added, What: "uid 1001, home /home/intruder"}},
		{Finding: drift.Finding{Kind: drift.Port, Name: "8080/tcp", Change: plan.Added, What: "python3 of ada, started by hand", Since: time.Date(2026, 11, 26, 9, 30, 0, 0, time.Local)}},
		{Finding: drift.Finding{Kind: drift.Variable, Name: "net.ipv4.ip_forward", Change: plan.Modified, What: "0, declared 1"}, Place: &config.Place{File: "roles/router.cue", Line: 4, Column: 2}},
	}}
	slices.SortFunc(report.Findings, func(a, b driftedFinding) int { return drift.Compare(a.Finding, b.Finding) })
	var out bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Getenv: func(string) string { return "" }}}
	if err := a.reportDrift(report, false); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/drift.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("have\n%s\nwant\n%s", out.String(), want)
	}
	if err := a.reportDrift(report, true); err == nil {
		t.Error("--exit-code finds nothing")
	}
}

func TestTheTextOfWhatIsGoneIsShownWhenAskedFor(t *testing.T) {
	report := &driftReport{Machine: "web", Generation: 3, Findings: []driftedFinding{{Finding: drift.Finding{Kind: drift.File, Name: "/etc/motd", Change: plan.Deleted, Diff: "@@ -1 +0,0 @@\n-declared\n"}}}}
	for verbose, want := range map[bool]string{false: "  deleted /etc/motd\n", true: "  deleted /etc/motd\n      @@ -1 +0,0 @@\n      -declared\n"} {
		var out bytes.Buffer
		a := &app{Environment: Environment{Stdout: &out, Getenv: func(string) string { return "" }}, verbose: verbose}
		if err := a.reportDrift(report, false); err != nil || out.String() != "web differs from generation 3 in 1 place\n\nfiles\n"+want {
			t.Errorf("verbose %v: %v\n%s", verbose, err, out.String())
		}
	}
}

func TestEveryKindHasATitle(t *testing.T) {
	for _, kind := range drift.Kinds() {
		if driftTitles[kind] == "" {
			t.Errorf("%s has none", kind)
		}
	}
}

func TestWhatIsNoDeviationIsToldLast(t *testing.T) {
	var out bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Getenv: func(string) string { return "" }}}
	report := &driftReport{Machine: "web", Generation: 3, Noise: []drift.Finding{{Kind: drift.File, Name: "/etc/shadow-", Change: plan.Added, Noise: "the account tools keep it"}}}
	if err := a.reportDrift(report, true); err != nil {
		t.Error(err)
	}
	if want := "web is what generation 3 declares\n\nno deviation\n  added /etc/shadow-: the account tools keep it\n"; out.String() != want {
		t.Errorf("have\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWhereSomethingWasDeclared(t *testing.T) {
	places := mapped{
		`files."/etc/motd".text`:       {File: "stet.yaml", Line: 20},
		`files."/etc/motd".mode`:       {File: "stet:schema/machine.cue", Line: 5},
		`users.ada.shell`:              {File: "stet.yaml", Line: 9},
		`users.ada.groups.sudo`:        {File: "stet.yaml", Line: 8},
		`sysctl."net.ipv4.ip_forward"`: {File: "stet.yaml", Line: 38},
		`files."/etc/motd.d/x".text`:   {File: "stet.yaml", Line: 99},
	}
	for _, c := range []struct {
		kind drift.Kind
		name string
		want string
	}{
		{drift.File, "/etc/motd", "stet.yaml:20"},
		{drift.User, "ada", "stet.yaml:8"},
		{drift.Variable, "net.ipv4.ip_forward", "stet.yaml:38"},
		{drift.File, "/etc/other", ""},
	} {
		have := ""
		if _, place := places.ofFinding(drift.Finding{Kind: c.kind, Name: c.name}); place != nil {
			have = place.String()
		}
		if have != c.want {
			t.Errorf("%s %s: %q, want %q", c.kind, c.name, have, c.want)
		}
	}
}

func TestWhoBroughtAFileIsTold(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := driftReport{System: systemtest.Put(t, s, systemtest.System{Usr: map[string]string{
		"/lib/sysimage/dpkg/info/nginx-common.list": "/.\n/etc\n/etc/nginx\n/etc/nginx/mime.types\n/etc/motd\n",
	}})}
	r.Findings = []driftedFinding{
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/nginx/mime.types", Change: plan.Deleted}},
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/nginx", Change: plan.Added}},
		{Finding: drift.Finding{Kind: drift.File, Name: "/etc/motd", Change: plan.Modified}, Place: &config.Place{File: "stet.yaml"}},
		{Finding: drift.Finding{Kind: drift.Unit, Name: "/etc/nginx/mime.types", Change: plan.Modified}},
	}
	if err := r.addPackages(s); err != nil {
		t.Fatal(err)
	}
	for i, f := range r.Findings {
		if want := map[int]int{0: 1}[i]; len(f.Packages) != want {
			t.Errorf("%s %s is of %q", f.Change, f.Name, f.Packages)
		}
	}
}

func TestDamageIsToldOfTheSystemThatRuns(t *testing.T) {
	const running, other = "aaaa", "bbbb"
	found := damaged([]integrity.Finding{
		{Problem: integrity.Damaged, Name: "objects/12/34", Detail: "its content has another digest", Hurts: []integrity.Hurt{
			{Path: "/usr/bin/curl", Package: "curl", Systems: []string{other, running}}, {Path: "/usr/bin/old", Systems: []string{other}},
		}},
		{Problem: integrity.Missing, Name: "images/ab", Hurts: []integrity.Hurt{{Systems: []string{running}}}},
		{Problem: integrity.Damaged, Name: "objects/56/78"}, // nobody needs it
	}, running)
	var have []string
	for _, f := range found {
		have = append(have, fmt.Sprintf("%s %s %s: %s; of %v", f.Kind, f.Change, f.Name, f.What, f.Packages))
	}
	want := []string{
		"damage modified /usr/bin/curl: damaged: its content has another digest; of [curl]",
		"damage deleted images/ab: missing; of []",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
