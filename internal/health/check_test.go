package health

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/machine"
)

// fake is a host whose every answer a test decides.
type fake struct {
	units  map[string]string
	failed []string
	shell  func(ctx context.Context, command string) error
	ports  map[int]bool
	links  []string
}

func (f fake) ActiveState(_ context.Context, unit string) (string, error) {
	if state, ok := f.units[unit]; ok {
		return state, nil
	}
	return "inactive", nil
}
func (f fake) FailedUnits(context.Context) ([]string, error) { return f.failed, nil }
func (f fake) Connected() ([]string, error)                  { return f.links, nil }
func (f fake) Shell(ctx context.Context, command string) error {
	return f.shell(ctx, command)
}
func (f fake) Dial(_ context.Context, port int) error {
	if f.ports[port] {
		return nil
	}
	return errors.New("connection refused")
}

func declare(timeout time.Duration, checks map[string]machine.Check) machine.Health {
	return machine.Health{Timeout: machine.Duration(timeout), Checks: checks}
}

func run(t *testing.T, host Host, h machine.Health, failedBefore ...string) []Result {
	t.Helper()
	results, err := Run(t.Context(), host, h, Before{FailedUnits: failedBefore})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestEachKindOfCheck(t *testing.T) {
	host := fake{
		units: map[string]string{"a.service": "active", "b.service": "activating"},
		ports: map[int]bool{80: true},
		shell: func(_ context.Context, command string) error {
			if command == "true" {
				return nil
			}
			return errors.New("exit status 7: it is broken")
		},
		failed: []string{"c.service", "d.mount"},
	}
	got := run(t, host, declare(time.Millisecond, map[string]machine.Check{
		"a": {Unit: "a.service"}, "b": {Unit: "b.service"}, "c": {Port: 80}, "d": {Port: 81},
		"e": {Command: "true"}, "f": {Command: "false\nmore"},
	}), "d.mount")
	want := []Result{
		{Name: "a", What: "a.service is active", Passed: true},
		{Name: "b", What: "b.service is active", Failure: "b.service is activating"},
		{Name: "c", What: "port 80 accepts", Passed: true},
		{Name: "d", What: "port 81 accepts", Failure: "connection refused"},
		{Name: "e", What: "succeeds: true", Passed: true},
		{Name: "f", What: "succeeds: false …", Failure: "false …: exit status 7: it is broken"},
		{Name: noFailedUnit, What: "no unit has failed", Failure: "c.service failed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if failed := Failed(got); len(failed) != 4 || failed[0].String() != "b: b.service is activating" {
		t.Errorf("failed are %v", failed)
	}
}

func TestWhatWasConnectedIsTo(t *testing.T) {
	host := fake{links: []string{"eth0", "wg0"}, failed: []string{"old.service"}}
	before, err := Look(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  []string
		want Result
	}{
		{[]string{"wg0", "eth0", "eth1"}, Result{Name: network, What: "eth0, wg0 connected as before", Passed: true}},
		{[]string{"eth0"}, Result{Name: network, What: "eth0, wg0 connected as before", Failure: "wg0 had an address, and has none now"}},
	} {
		host.links = c.now
		results, err := Run(t.Context(), host, declare(time.Millisecond, nil), before)
		if err != nil || len(results) != 2 || !results[0].Passed {
			t.Fatalf("%v %+v", err, results)
		}
		if diff := cmp.Diff(c.want, results[1]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestChecksAreTriedUntilTheySucceed(t *testing.T) {
	var tries atomic.Int32
	host := fake{shell: func(context.Context, string) error {
		if tries.Add(1) < 3 {
			return errors.New("not yet")
		}
		return nil
	}}
	got := run(t, host, declare(time.Minute, map[string]machine.Check{"slow": {Command: "x"}}))
	if !got[0].Passed || tries.Load() != 3 {
		t.Errorf("after %d tries: %+v", tries.Load(), got[0])
	}
}

func TestAHangingCheckEndsWithTheTime(t *testing.T) {
	var first atomic.Bool
	host := fake{shell: func(ctx context.Context, command string) error {
		if command == "fails, then hangs" && first.CompareAndSwap(false, true) {
			return errors.New("what was wrong")
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	begin := time.Now()
	got := run(t, host, declare(1500*time.Millisecond, map[string]machine.Check{"a": {Command: "hangs"}, "b": {Command: "fails, then hangs"}}))
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	if got[0].Failure != "succeeds: hangs: not in 1.5s" {
		t.Errorf("it says %q", got[0].Failure)
	}
	if !strings.Contains(got[1].Failure, "what was wrong") {
		t.Errorf("it says %q", got[1].Failure)
	}
}

func TestAnEndedContextIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, fake{ports: map[int]bool{}}, declare(time.Minute, map[string]machine.Check{"a": {Port: 1}}), Before{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestThisHost(t *testing.T) {
	if err := (Local{}).Shell(t.Context(), "true"); err != nil {
		t.Error(err)
	}
	err := (Local{}).Shell(t.Context(), "echo one; echo two >&2; exit 3")
	if err == nil || err.Error() != "exit status 3: two" {
		t.Errorf("got %v", err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := (Local{}).Shell(brief, "sleep 60"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := (Local{}).Dial(t.Context(), port); err != nil {
		t.Error(err)
	}
	listener.Close()
	if err := (Local{}).Dial(t.Context(), port); err == nil {
		t.Error("a port that nobody has is open")
	}
}

func TestSpec(t *testing.T) {
	want := declare(time.Minute, map[string]machine.Check{"a": {Unit: "a.service"}, "b": {Command: "x"}, "c": {Port: 1}})
	text, err := Text(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for text, wanted := range map[string]string{
		"":                                 "unexpected end",
		`{"format":2}`:                     "use the Stet that built",
		`{"format":1,"chekcs":{}}`:         "unknown field",
		`{"format":1,"timeout":"soon"}`:    "duration",
		`{"format":1,"checks":{"a":[[]]}}`: "cannot unmarshal",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: %v, want %q", text, err, wanted)
		}
	}
}
