package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"stet/internal/plan"
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
