package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"stet/internal/generation"
	"stet/internal/handover"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/system/systemtest"
	"stet/internal/term"
)

func TestASwitchSaysWhatIsBack(t *testing.T) {
	getenv := func(string) string { return "" }
	r := &switchReport{
		Plan:     &plan.Plan{Format: plan.Format, Machine: "hello", Old: strings.Repeat("a", 64), New: strings.Repeat("b", 64), Kind: plan.Live, Trees: []plan.Tree{{Name: "etc", Live: true}}},
		Regained: []string{"/etc/conf", "/etc/net/*.conf"}, kept: kept{Generation: 4},
	}
	var out bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out, Getenv: getenv}, term: term.New(io.Discard, getenv)}
	if err := a.reportSwitch(r); err != nil {
		t.Fatal(err)
	}
	if want := "\n\nback in /etc, as it was when it was let go: /etc/conf /etc/net/*.conf\n\ndone; generation 4 starts next\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("it says\n%s", out.String())
	}
	out.Reset()
	a.json = true
	if err := a.reportSwitch(r); err != nil || !strings.Contains(out.String(), `"/etc/net/*.conf"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestWhereNothingOfStetRuns is for whoever mixes up two terminals: nothing is begun.
func TestWhereNothingOfStetRuns(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := handover.Make(s, systemtest.Put(t, s, systemtest.System{}), generation.Provenance{})
	if err := errors.Join(err, handover.WriteOffer(dir, offer), s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"switch", "try", "plan"} {
		var said bytes.Buffer
		code := Run(t.Context(), Environment{
			Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said, Dir: dir, Root: t.TempDir(), Now: time.Now,
			Getenv: func(name string) string { return map[string]string{"STET_STORE": t.TempDir()}[name] },
		}, []string{command, "--from", dir})
		if code != ExitFailed || !strings.Contains(said.String(), "no system of Stet runs here") || !strings.Contains(said.String(), "run it on the machine itself") {
			t.Errorf("%s: %d\n%s", command, code, said.String())
		}
	}
}
