package fault

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

func TestPointsAreListedOnce(t *testing.T) {
	seen := map[Point]bool{}
	for _, p := range Points() {
		if seen[p] {
			t.Errorf("%q is listed twice", p)
		}
		seen[p] = true
	}
}

func TestOnlyThePointThatWasAskedForKills(t *testing.T) {
	if os.Getenv("STET_FAULT") != "" {
		for _, p := range Points() {
			os.Stdout.WriteString(string(p) + "\n")
			Reach(p)
		}
		return
	}
	for _, p := range []Point{ObjectWritten, EntryPlaced} {
		again := exec.Command("/proc/self/exe", "-test.run=^TestOnlyThePointThatWasAskedForKills$")
		again.Env = append(os.Environ(), "STET_FAULT="+string(p))
		out, err := again.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it ended with %v, want a kill", p, err)
		}
		want := ""
		for _, before := range Points()[:slices.Index(Points(), p)+1] {
			want += string(before) + "\n"
		}
		if string(out) != want {
			t.Errorf("%s: it passed\n%s", p, out)
		}
	}
}

func TestRequestOnTheKernelCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"quiet":                             "",
		"quiet stet.fault=x panic=1":        "x",
		`stet.fault="init: a b:halt" quiet`: "init: a b:halt",
		`quiet "stet.fault=init: a:halt" x`: "init: a:halt",
		"quiet not.stet.fault=x":            "",
		"stet.fault=x\n":                    "x",
	} {
		if got := fromCommandLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
