package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/generation"
	"stet/internal/lock"
	"stet/internal/mirror/mirrortest"
	"stet/internal/source"
	"stet/internal/stage"
	"stet/internal/systemd/systemdtest"
	"stet/internal/term"
)

// now is when attempts of these tests are made.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// try lets an attempt be under way on the machine.
func (i installed) try(t *testing.T, try attempt) {
	t.Helper()
	text, err := json.Marshal(try)
	if err != nil {
		t.Fatal(err)
	}
	i.file(t, attemptFile, string(text))
}

// stet runs a command line on the machine.
func (i installed) stet(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Environment{
		Stdout: &stdout, Stderr: &stderr, Dir: t.TempDir(), Root: i.root, Now: func() time.Time { return now },
		Getenv: func(name string) string { return map[string]string{"STET_STORE": i.store}[name] },
	}, args)
	return code, stdout.String(), stderr.String()
}

func TestPackagesThatAreTriedAreNotConfirmed(t *testing.T) {
	i := newInstalled(t)
	i.try(t, attempt{System: running, Before: strings.Repeat("a", 64), Packages: []string{"htop", "jq"}})
	code, _, said := i.stet(t, "confirm")
	if code != ExitInput || said != "stet: what is tried is in no configuration: htop, jq\n  `stet add htop jq` keeps them\n" {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if try, err := i.attempt(); err != nil || try == nil {
		t.Errorf("after that nothing is tried any more: %v", err)
	}
	if _, text := mustStatus(t, i); !strings.Contains(text, "tried       with htop, jq until the next start: `stet add htop jq` keeps them\n") {
		t.Errorf("the status is\n%s", text)
	}
	code, out, _ := i.stet(t, "status", "--json")
	var report struct{ Tried struct{ Packages []string } }
	if err := json.Unmarshal([]byte(out), &report); code != ExitDone || err != nil || !slices.Equal(report.Tried.Packages, []string{"htop", "jq"}) {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestHowLongATryLasts(t *testing.T) {
	until := now
	for want, of := range map[string]tried{
		"until the next start: `stet confirm` keeps it":                                                          {},
		"until " + until.Local().Format(time.TimeOnly) + ", or the next start: `stet confirm` keeps it":          {Until: &until},
		"with jq until " + until.Local().Format(time.TimeOnly) + ", or the next start: `stet add jq` keeps them": {Until: &until, Packages: []string{"jq"}},
	} {
		if have := of.String(); have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}

// TestWhatIsTriedIsTriedAnew is for one system that is tried twice: the second time
// somebody has written down what was only tried, or wants it for longer.
func TestWhatIsTriedIsTriedAnew(t *testing.T) {
	i := newInstalled(t)
	var systemd systemdtest.Manager
	systemd.Serve(t, i.at("/run/systemd/private"))
	l := live{installed: i}
	w := wish{Try: true, For: time.Hour, Staged: stage.Request{System: running, Origin: generation.Switch}}
	if err := l.triesAnew(t.Context(), w, now); err != nil || systemd.Asked() != nil {
		t.Errorf("nothing was tried: %v, %v", err, systemd.Asked())
	}
	before := strings.Repeat("a", 64)
	i.try(t, attempt{System: running, Before: before, Packages: []string{"htop"}})
	i.file(t, clockFile, "")
	if err := l.triesAnew(t.Context(), w, now); err != nil {
		t.Fatal(err)
	}
	try, err := i.attempt()
	if err != nil || try == nil || try.Before != before || try.Packages != nil || try.Staged.Origin != generation.Switch || !try.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %v", try, err)
	}
	asked := systemd.Asked()
	if len(asked) != 2 || asked[0] != "StopUnit stet-revert.timer replace" || !strings.HasPrefix(asked[1], "StartTransientUnit stet-revert.timer ") || !strings.Contains(asked[1], "[OnActiveSec 3600000000]") {
		t.Errorf("asked %q", asked)
	}
}

// TestWhatIsSwitchedToIsTriedNoMore is for a machine whose clock would go back from
// what somebody has said that it is to be.
func TestWhatIsSwitchedToIsTriedNoMore(t *testing.T) {
	i := newInstalled(t)
	i.try(t, attempt{System: running, Before: strings.Repeat("a", 64), Packages: []string{"htop"}})
	i.file(t, clockFile, "")
	var systemd systemdtest.Manager
	systemd.Serve(t, i.at("/run/systemd/private"))
	l := live{installed: i}
	w := wish{Staged: stage.Request{System: running, Origin: generation.Switch}}
	for range 2 {
		if err := new(app).settle(t.Context(), l, w, new(switchReport)); err != nil {
			t.Fatal(err)
		}
		if try, err := i.attempt(); err != nil || try != nil {
			t.Errorf("it is tried still: %+v, %v", try, err)
		}
	}
	if diff := cmp.Diff([]string{"StopUnit stet-revert.timer replace"}, systemd.Asked()); diff != "" {
		t.Error(diff)
	}
}

// repository is one of git with a machine.
func repository(t *testing.T, files map[string]string) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}, {"-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "--message=first"}, {"rev-parse", "HEAD"}} {
		out, err := source.Git(t.Context(), dir, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		commit = strings.TrimSpace(string(out))
	}
	return dir, commit
}

func TestADraftIsOfThisMachinesRepository(t *testing.T) {
	dir, _ := repository(t, map[string]string{"stet.yaml": "name: hello\nbase: minimal\npackages: [curl]\n"})
	var said bytes.Buffer
	environment := Environment{Stderr: &said, Getenv: func(string) string { return "" }}
	a := &app{Environment: environment, term: term.New(&said, environment.Getenv), dir: dir}
	for _, c := range []struct {
		machine  string
		packages []string
		says     string
	}{
		{"hello", []string{"curl"}, "packages has curl already"},
		{"other", []string{"htop"}, "other"},
		{"hello", []string{"No Package"}, "stet.yaml:3"},
		{"hello", []string{"htop/sid"}, "sid"},
	} {
		draft := t.TempDir()
		_, err := a.draft(t.Context(), draft, c.machine, c.packages)
		if code := a.fail(err); code != ExitInput || !strings.Contains(said.String(), c.says) {
			t.Errorf("%s, %q: exit code %d: %s", c.machine, c.packages, code, said.String())
		}
		if left, err := os.ReadDir(draft); err != nil || len(left) > 0 {
			t.Errorf("%q: there is a draft all the same: %v, %v", c.packages, left, err)
		}
		said.Reset()
	}
	draft := t.TempDir()
	if from, err := a.draft(t.Context(), draft, "hello", []string{"htop", "jq"}); err != nil || from != dir {
		t.Fatalf("a draft of %s: %v", from, err)
	}
	text, err := os.ReadFile(filepath.Join(draft, "stet.yaml"))
	if want := "name: hello\nbase: minimal\npackages: [curl, htop, jq]\n"; err != nil || string(text) != want {
		t.Errorf("the draft is\n%s%v", text, err)
	}
	if out, err := source.Git(t.Context(), dir, "status", "--porcelain").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the repository is touched: %v\n%s", err, out)
	}
}

func TestWhatElseIsTriedIsSaid(t *testing.T) {
	i := newInstalled(t)
	dir, commit := repository(t, map[string]string{"stet.yaml": "name: hello\n"})
	var said bytes.Buffer
	a := &app{term: term.New(&said, func(string) string { return "" })}
	says := func(want string) {
		t.Helper()
		said.Reset()
		if err := a.noteOthers(t.Context(), i, dir); err != nil {
			t.Fatal(err)
		}
		if want == "" && said.Len() > 0 || !strings.Contains(said.String(), want) {
			t.Errorf("it says %q, want %q", said.String(), want)
		}
	}
	says("is at commit " + commit[:12] + ", and generation 2 was made from 222222222222: what differs is tried, too")

	// What is tried is no generation: the one before it counts.
	i.try(t, attempt{System: running, Before: strings.Repeat("c", 64), Packages: []string{"htop"}})
	says("generation 3 was made from 333333333333")

	r := generation.Record{Number: 4, System: running, Date: now, Origin: generation.Switch}
	r.Commit.ID = commit
	if err := i.generations().Add(r); err != nil {
		t.Fatal(err)
	}
	i.try(t, attempt{})
	i.file(t, "/proc/cmdline", "quiet\n")
	says("")
	if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	says(dir + " has changes that are in no commit: they are tried, too")
}

// TestPackagesThatThereAreNot are refused by the archives, with what may have been
// meant; no package is fetched, and nothing is left.
func TestPackagesThatThereAreNot(t *testing.T) {
	archive := mirrortest.New("trixie", now)
	archive.Add(mirrortest.Deb{Name: "htop"}, mirrortest.Deb{Name: "systemd-sysv"}, mirrortest.Deb{Name: "linux-image-amd64"})
	server := archive.Serve(t)
	i := newInstalled(t)
	locked := &lock.Lock{Epoch: now.Unix(), Machines: map[string]lock.Machine{}}
	dir, _ := repository(t, map[string]string{
		"stet.yaml": "name: hello\nbase: minimal\ndebian: {security: false, updates: false}\n", lock.FileName: string(locked.Format()),
	})
	var said bytes.Buffer
	code := Run(t.Context(), Environment{
		Stdout: io.Discard, Stderr: &said, Dir: dir, Root: i.root, Keys: archive.Key.Keyring(), Now: func() time.Time { return now },
		Getenv: func(name string) string {
			return map[string]string{"STET_STORE": i.store, "STET_MIRROR": server.URL}[name]
		},
	}, []string{"try", "-p", "htpo", "--for", "1h"})
	if code != ExitInput || !strings.Contains(said.String(), "htpo") || !strings.Contains(said.String(), "htop") {
		t.Errorf("exit code %d:\n%s", code, said.String())
	}
	if !strings.Contains(said.String(), "generation 2 was made from 222222222222: what differs is tried, too") {
		t.Errorf("it does not say what else is tried:\n%s", said.String())
	}
	if out, err := source.Git(t.Context(), dir, "status", "--porcelain").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the repository is touched: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(filepath.Join(i.store, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("there is left %v, %v", left, err)
	}
	for _, r := range server.Requests() {
		if strings.HasSuffix(r.Path, ".deb") {
			t.Errorf("%s was fetched", r.Path)
		}
	}
}
