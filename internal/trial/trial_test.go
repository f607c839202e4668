package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/machine"
	"stet/internal/vm"
)

// guest is a machine whose shell knows a few lines.
type guest struct {
	did  []string
	dead bool
}

func (g *guest) Exec(ctx context.Context, c vm.Command) (*vm.Result, error) {
	if g.dead {
		return nil, vm.ErrOff
	}
	line := c.Argv[len(c.Argv)-1]
	g.did = append(g.did, "run "+line)
	switch line {
	case "env":
		io.WriteString(c.Stdout, strings.Join(c.Env, "\n"))
	case "hang":
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case "fail":
		for i := range 100 {
			fmt.Fprintf(c.Stdout, "line %d\n", i)
		}
		fmt.Fprintf(c.Stderr, "\x1b[31mred\x1b[0m reason\r\n")
		return &vm.Result{ExitStatus: 3}, nil
	case "die":
		g.dead = true
		return nil, vm.ErrOff
	}
	return &vm.Result{}, nil
}

func (g *guest) WaitBooted(context.Context) (string, error) {
	g.did = append(g.did, "booted")
	return "degraded", nil
}

func (g *guest) WaitForUnit(_ context.Context, unit string) error {
	g.did = append(g.did, "unit "+unit)
	if unit == "bad.service" {
		return &vm.UnitError{Unit: unit, State: "failed", Status: "said so"}
	}
	return nil
}

func (g *guest) WaitForPort(_ context.Context, port int) error {
	g.did = append(g.did, fmt.Sprint("port ", port))
	return nil
}

func (g *guest) Reboot(context.Context) error { g.did = append(g.did, "reboot"); return nil }
func (g *guest) SerialLog() []byte            { return []byte("\x1b[0mconsole\r\n") }

func want(text string) *string { return &text }

func TestStepsRunInOrderAndTestsByName(t *testing.T) {
	g := &guest{}
	results, err := Run(t.Context(), Config{Machine: "hello", Guest: g, Tests: map[string][]machine.Step{
		"b": {{WaitFor: &machine.WaitFor{Port: 80}}, {Reboot: true}, {Run: "env", Expect: want("STET_TEST_NAME=b")}},
		"a": {{WaitFor: &machine.WaitFor{Unit: "good.service"}}},
	}})
	if err != nil || !Passed(results) || len(results) != 2 || results[0].Name != "a" {
		t.Errorf("got %+v, %v", results, err)
	}
	// A reboot is over when the next boot is.
	if did := []string{"booted", "unit good.service", "port 80", "reboot", "booted", "run env"}; !slices.Equal(g.did, did) {
		t.Errorf("did %q", g.did)
	}
}

func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		step machine.Step
		want string
	}{
		"exit status":        {machine.Step{Run: "fail"}, "exit status 3"},
		"exit status counts": {machine.Step{Run: "fail", Expect: want("red reason")}, "exit status 3"},
		"expectation":        {machine.Step{Run: "true", Expect: want("hello")}, `expected "hello" in the output`},
		"timeout":            {machine.Step{Run: "hang", Timeout: machine.Duration(20 * time.Millisecond)}, "longer than 20ms"},
		"unit":               {machine.Step{WaitFor: &machine.WaitFor{Unit: "bad.service"}}, "bad.service is failed\nsaid so"},
		"machine gone":       {machine.Step{Run: "die"}, "off"},
		"host exit status":   {machine.Step{Run: "echo no; exit 4", From: "host"}, "exit status 4"},
		"host signal":        {machine.Step{Run: "kill -9 $$", From: "host"}, "exit status 137"},
		"host timeout":       {machine.Step{Run: "sleep 60", From: "host", Timeout: machine.Duration(50 * time.Millisecond)}, "longer than 50ms"},
		"empty":              {machine.Step{}, "says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			results, err := Run(t.Context(), Config{Guest: &guest{}, Environment: os.Environ(), Tests: map[string][]machine.Step{"x": {test.step, {Run: "true"}}}})
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if r.Passed || r.Steps[0].Passed || !strings.Contains(r.Steps[0].Failure, test.want) {
				t.Errorf("got %+v", r)
			}
			if !r.Steps[1].Skipped || r.Steps[1].Passed {
				t.Errorf("the step behind a failed one: %+v", r.Steps[1])
			}
			if r.SerialLog != "console\n" {
				t.Errorf("serial log %q", r.SerialLog)
			}
		})
	}
}

func TestHostStepsKnowThePorts(t *testing.T) {
	directory := t.TempDir()
	results, err := Run(t.Context(), Config{
		Machine: "hello", Guest: &guest{}, Ports: map[int]int{80: 12345}, Directory: directory, Environment: os.Environ(),
		Tests: map[string][]machine.Step{"x": {{Run: `echo "$STET_TEST_MACHINE/$STET_TEST_NAME/$STET_TEST_STEP $STET_PORT_80"; pwd`, From: "host", Expect: want("hello/x/1 12345\n" + directory)}}},
	})
	if err != nil || !Passed(results) {
		t.Errorf("got %+v, %v", results, err)
	}
}

func TestCancelledRunIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := Run(ctx, Config{Guest: &guest{}, Tests: map[string][]machine.Step{"a": {{Run: "hang"}}, "b": {{Run: "true"}}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestForwardsAddsNamedPorts(t *testing.T) {
	tests := map[string][]machine.Step{"x": {{WaitFor: &machine.WaitFor{Port: 80}}, {WaitFor: &machine.WaitFor{Port: 22}}, {WaitFor: &machine.WaitFor{Port: 80}}, {WaitFor: &machine.WaitFor{Unit: "u.service"}}}}
	got := Forwards(tests, []vm.Forward{{HostPort: 8080, GuestPort: 80}})
	if !slices.Equal(got, []vm.Forward{{HostPort: 8080, GuestPort: 80}, {GuestPort: 22}}) {
		t.Errorf("got %v", got)
	}
}

func TestReportShortensOutput(t *testing.T) {
	results, err := Run(t.Context(), Config{Guest: &guest{}, Tests: map[string][]machine.Step{"web": {{Run: "fail"}, {Reboot: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := WriteText(&text, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FAILED web", "FAILED  1. run: fail", "exit status 3", "| … 81 lines before", "| line 99", "| red reason", "skipped 2. reboot", "| console"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "line 5\n") || strings.Contains(text.String(), "\x1b") {
		t.Errorf("too much in:\n%s", text.String())
	}
}
