package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/generation"
	"stet/internal/health"
	"stet/internal/source"
	"stet/internal/state"
)

var running = strings.Repeat("b", 64)

// newInstalled is a machine that booted generation 2 of three.
func newInstalled(t *testing.T) installed {
	t.Helper()
	i := installed{root: t.TempDir(), store: t.TempDir()}
	record := state.Boot{Machine: "hello", System: running}.Bytes()
	i.file(t, "/proc/cmdline", "quiet stet.system="+running+" stet.generation=2\n")
	i.file(t, state.BootFile, string(record))
	for _, entry := range []string{"stet-1.conf", "stet-2.conf", "stet-3+0-3.conf"} {
		i.file(t, "/efi/loader/entries/"+entry, "title x\n")
	}
	for n, system := range []string{strings.Repeat("a", 64), running, strings.Repeat("c", 64)} {
		r := generation.Record{Number: n + 1, System: system, Date: time.Date(2026, 11, 25, 20, n, 0, 0, time.UTC), Origin: generation.Boot}
		r.Commit = source.Commit{ID: strings.Repeat(fmt.Sprint(n+1), 40), Subject: fmt.Sprintf("change %d", n+1)}
		if err := i.generations().Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.generations().Set(2, generation.Good, ""); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i installed) file(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(i.at(name)), 0o755), os.WriteFile(i.at(name), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func mustStatus(t *testing.T, i installed) (report *statusReport, text string) {
	t.Helper()
	report, err := i.status()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report.print(&out)
	return report, out.String()
}

func TestStatusOfAMachineThatFellBack(t *testing.T) {
	i := newInstalled(t)
	if err := i.generations().Set(3, generation.Failed, "page: exit status 22"); err != nil {
		t.Fatal(err)
	}
	report, text := mustStatus(t, i)
	want := `machine     hello
generation  2, booted, running and default
commit      222222222222 change 2
system      ` + running + `
health      good
failed      generation 3: page: exit status 22
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	if got, want := report.notice(), "Generation 3 failed: page: exit status 22\nThis machine runs generation 2.\n`stet status` says more.\n"; got != want {
		t.Errorf("the notice is\n%s", got)
	}
}

func TestStatusOfAMachineThatIsNotWell(t *testing.T) {
	i := newInstalled(t)
	record := state.Boot{Machine: "hello", System: running, Problems: []string{"changes of /etc are lost"}}.Bytes()
	i.file(t, state.BootFile, string(record))
	j := judgement{installed: i}
	if err := j.place(healthFile, []byte(`{"generation": 2, "checks": [{"name": "a", "what": "x", "passed": true}, {"name": "b", "what": "y", "failure": "b.service is failed"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	report, text := mustStatus(t, i)
	for _, line := range []string{"health      unwell: b: b.service is failed\n", "problem     changes of /etc are lost\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the status lacks %q:\n%s", line, text)
		}
	}
	for _, line := range []string{"This machine is not well: b: b.service is failed\n", "Since this boot: changes of /etc are lost\n"} {
		if !strings.Contains(report.notice(), line) {
			t.Errorf("the notice lacks %q:\n%s", line, report.notice())
		}
	}
	if err := j.tell(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(i.at(noticeFile)); err != nil || string(text) != report.notice() {
		t.Errorf("%v: at login one reads\n%s", err, text)
	}

	// When all is well again, nothing is said.
	healthy := state.Boot{Machine: "hello", System: running}.Bytes()
	i.file(t, state.BootFile, string(healthy))
	if err := j.place(healthFile, []byte(`{"generation": 2, "checks": [{"name": "a", "what": "x", "passed": true}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(i.at("/efi/loader/entries/stet-3+0-3.conf"), i.at("/efi/loader/entries/stet-3+3.conf")); err != nil {
		t.Fatal(err)
	}
	report, text = mustStatus(t, i)
	if !strings.Contains(text, "health      good: 1 check\n") || !strings.Contains(text, "2 running, 2 booted, 3 default\n") || report.notice() != "" {
		t.Errorf("%s\n%s", text, report.notice())
	}
	if err := j.tell(); err != nil {
		t.Fatal(err)
	}
	if err := j.tell(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(i.at(noticeFile)); !os.IsNotExist(err) {
		t.Errorf("there is still a notice: %v", err)
	}
}

// TestStatusOfAVM has no generations: `stet vm` boots a system without one.
func TestStatusOfAVM(t *testing.T) {
	i := installed{root: t.TempDir(), store: t.TempDir()}
	record := state.Boot{Machine: "hello", System: running}.Bytes()
	i.file(t, "/proc/cmdline", "quiet\n")
	i.file(t, state.BootFile, string(record))
	report, text := mustStatus(t, i)
	if want := "machine  hello\nsystem   " + running + "\nhealth   unknown\n"; text != want || report.notice() != "" {
		t.Errorf("%s", text)
	}
}

func TestStatusOfAStrangeHost(t *testing.T) {
	i := installed{root: t.TempDir(), store: t.TempDir()}
	if _, err := i.status(); err == nil || !strings.Contains(err.Error(), "no machine that Stet made") {
		t.Errorf("got %v", err)
	}
	i = newInstalled(t)
	i.file(t, "/proc/cmdline", "stet.generation=x")
	if _, err := i.status(); err == nil || !strings.Contains(err.Error(), "stet.generation=x") {
		t.Errorf("got %v", err)
	}
	i = newInstalled(t)
	i.file(t, healthFile, "{")
	if _, err := i.status(); err == nil || !strings.Contains(err.Error(), healthFile) {
		t.Errorf("got %v", err)
	}
}

func TestSentencesOfFailedChecks(t *testing.T) {
	failed := []health.Result{{Name: "a", Failure: "x"}, {Name: "b", Failure: "y"}}
	if got := sentence(failed); got != "a: x; b: y" {
		t.Errorf("got %s", got)
	}
}
