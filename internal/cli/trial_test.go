package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"stet/internal/config"
	"stet/internal/term"
	"stet/internal/trial"
	"stet/internal/vm"
)

// threeMachines are two that declare tests and one that does not.
const threeMachines = `package stet
machines: [Name=string]: {name: Name, base: "minimal"}
machines: {b: {tests: x: [{run: "true"}]}, a: {tests: x: [{run: "true"}]}, quiet: {}}
`

func TestWhichMachinesAreTested(t *testing.T) {
	dir, _ := repository(t, map[string]string{"machines.cue": threeMachines})
	c, err := config.Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		all  bool
		want string // names, or a part of the error
	}{
		{"", true, "a b"},
		{"b", false, "b"},
		{"b a", false, "a b"},
		{"a b a", false, "a b"},
		{"", false, "there are 3 machines, name one"},
		{"quiet", false, "machine quiet declares no tests"},
		{"a quiet", false, "machine quiet declares no tests"},
		{"c", false, `no machine "c" is declared`},
		{"a", true, "--all is all machines, and a is named"},
	} {
		machines, err := toTest(c, strings.Fields(test.args), test.all)
		var names []string
		for _, m := range machines {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != test.want && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q, all %v: %q, %v; want %q", test.args, test.all, got, err, test.want)
		}
	}
}

func TestSeveralMachinesShareNoPortOfTheHost(t *testing.T) {
	if err := shareable([]vm.Forward{{GuestPort: 80}}); err != nil {
		t.Error(err)
	}
	err := shareable([]vm.Forward{{GuestPort: 22}, {HostPort: 8080, GuestPort: 80}})
	var failure *Failure
	if !errors.As(err, &failure) || failure.Code != ExitInput || !strings.Contains(failure.Remedy, "--forward 80 ") {
		t.Errorf("got %v", err)
	}
}

// results are those of three machines: one passed, one failed, one was not tested.
func results() []trialResult {
	at := time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC)
	passed := trialResult{trialReport: trialReport{OK: true, Machine: "a", Digest: "d", Booted: &at, Tests: []trial.Result{{Name: "x", Passed: true}}}}
	failed := trialResult{trialReport: trialReport{Machine: "b", Digest: "e", Tests: []trial.Result{{Name: "y"}}}}
	failed.began = vm.Beginning{Lost: errors.New("it is damaged"), Unkept: errors.New("there is no room")}
	return []trialResult{passed, failed, {trialReport: trialReport{Machine: "c"}, err: wrongInput(errors.New("the lock is old"), "`stet lock`")}}
}

func TestResultsOfSeveralMachines(t *testing.T) {
	var out, said bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Stderr: &said}, term: term.New(&said, func(string) string { return "" })}
	if code := a.fail(a.printTrials(results())); code != ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if want := "a: passed\npassed x (0.0 s)\nb: FAILED\nFAILED y (0.0 s)\nc: FAILED\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for _, want := range []string{
		"a began where it had booted at 2026-11-27 ", "b booted anew: the state that was kept cannot be used: it is damaged",
		"b: its state after the boot was not kept: there is no room", "c was not tested:", "the lock is old", "`stet lock`",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, said.String())
		}
	}
	if code := a.fail(a.printTrials(results()[:1])); code != ExitDone {
		t.Errorf("exit code %d of one that passed", code)
	}
}

func TestResultsForPrograms(t *testing.T) {
	var out, said bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Stderr: &said}, term: term.New(&said, func(string) string { return "" }), json: true}
	if code := a.fail(a.printTrials(results())); code != ExitFailed {
		t.Errorf("exit code %d", code)
	}
	var several struct {
		OK       bool
		Machines []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &several); err != nil || several.OK || len(several.Machines) != 3 {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if failure, ok := several.Machines[2]["failure"].(map[string]any); !ok || failure["error"] != "the lock is old" || failure["remedy"] != "`stet lock`" {
		t.Errorf("got %v", several.Machines[2])
	}
	out.Reset()
	if code := a.fail(a.printTrial(results()[0])); code != ExitDone {
		t.Errorf("exit code %d", code)
	}
	one := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &one); err != nil || one["ok"] != true || one["machine"] != "a" || one["booted"] != "2026-11-27T16:00:00Z" || one["tests"] == nil || one["machines"] != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
