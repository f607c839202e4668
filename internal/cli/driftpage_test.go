package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/adopt"
	"stet/internal/config"
	"stet/internal/drift"
	"stet/internal/edition"
	"stet/internal/ledger"
	"stet/internal/plan"
	"stet/internal/source"
	"stet/internal/term"
)

// driftPage tells of one machine: blocks of it begin with a command of stet's, and
// what stands below is what that prints.
const driftPage = "../../docs/drift.md"

// driftPicture is its first such block, as a terminal shows it.
const driftPicture = "../../docs/drift.svg"

// handmade is the machine of examples/hello after an evening of the story.
type handmade struct {
	*config.Configuration
	findings []drift.Finding
}

// evening is a time of it.
func evening(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 20, hour, minute, second, 0, time.Local)
}

const newMotd = "Back at eight.\n"

func newHandmade(t *testing.T) handmade {
	t.Helper()
	c, err := config.Load(t.Context(), "../../examples/hello")
	if err != nil {
		t.Fatal(err)
	}
	return handmade{c, []drift.Finding{
		{Kind: drift.User, Name: "eve", Change: plan.Added, Path: "/etc/passwd", Since: evening(18, 2, 11), What: "uid 1001, home /home/eve, in sudo"},
		{Kind: drift.Group, Name: "sudo", Change: plan.Modified, Path: "/etc/group", Since: evening(18, 2, 11), What: "has eve, too"},
		{Kind: drift.Port, Name: "8080/tcp", Change: plan.Added, Since: evening(18, 5, 3), What: "tool of eve (/usr/local/bin/tool), in quick-fix.service", Stops: "quick-fix.service"},
		{Kind: drift.Unit, Name: "quick-fix.service", Change: plan.Added, What: "runs, and is written down nowhere"},
		{Kind: drift.Unit, Name: "hello.service", Change: plan.Modified, Path: "/etc/systemd/system/multi-user.target.wants/hello.service", Since: evening(18, 7, 12), What: "is disabled: multi-user.target no longer wants it"},
		{Kind: drift.Scheduled, Name: "crontab of ada", Change: plan.Added, Path: "/var/spool/cron/crontabs/ada", Since: evening(18, 15, 21), What: "1 entry", Remedy: "`crontab -u ada -r` removes it; `crontab -u ada -l` prints it"},
		{Kind: drift.File, Name: "/etc/motd", Change: plan.Modified, Path: "/etc/motd", Since: evening(18, 9, 30), Diff: "@@ -1 +1 @@\n-This machine is written down.\n+" + newMotd},
		{Kind: drift.File, Name: "/etc/nginx/mime.types", Change: plan.Deleted, Path: "/etc/nginx/mime.types", Since: evening(18, 12, 55), Diff: "@@ -1 +0,0 @@\n-types {\n"},
		{Kind: drift.Software, Name: "/usr/local/bin/tool", Change: plan.Added, Path: "/usr/local/bin/tool", Since: evening(18, 4, 40), What: "of root", Remedy: "`stet state clean /usr/local/bin/tool` archives and removes it"},
		{Kind: drift.Variable, Name: "net.ipv4.ip_forward", Change: plan.Modified, What: "0, declared 1"},
		{Kind: drift.Group, Name: "eve", Change: plan.Added, Path: "/etc/group", Since: evening(18, 2, 11), What: "gid 1001", Idle: true},
	}}
}

// drift is the report of those findings that are there in a generation.
func (h handmade) drift(generation int, found []drift.Finding) *driftReport {
	r := &driftReport{Machine: "hello", Generation: generation}
	for _, f := range found {
		d := driftedFinding{Finding: f}
		if d.Option, d.Place = mapped(h.Places("hello")).ofFinding(f); f.Name == "/etc/nginx/mime.types" {
			d.Packages = []string{"nginx-common"}
		}
		r.Findings = append(r.Findings, d)
	}
	return r
}

func (h handmade) of(kinds ...drift.Kind) (found []drift.Finding) {
	return slices.DeleteFunc(slices.Clone(h.findings), func(f drift.Finding) bool { return !slices.Contains(kinds, f.Kind) })
}

// shown are the blocks of the page, in their order.
func (h handmade) shown(ctx context.Context) []shownCommand {
	return []shownCommand{
		{"stet drift", func(a *app) error { return a.reportDrift(h.drift(1, h.findings), false) }},
		{"stet why /etc/motd", func(a *app) error { return h.why(ctx, a, "/etc/motd") }},
		{"stet adopt /etc/motd net.ipv4.ip_forward", func(a *app) error { return h.adopt(ctx, a, "/etc/motd", "net.ipv4.ip_forward") }},
		{"stet undo quick-fix.service", func(a *app) error {
			const system = "5a0c1e7740b26ad0"
			return a.reportSwitch(&switchReport{Undone: true, Plan: &plan.Plan{
				Machine: "hello", Old: system, New: system, Kind: plan.Live,
				Units: []plan.Unit{{UnitName: plan.UnitName{Name: "quick-fix.service"}, Action: plan.Stop, Reasons: []plan.Reason{{Why: plan.WhyDrift, What: "runs, and is declared nowhere"}}}},
			}})
		}},
		{"stet drift", func(a *app) error { return a.reportDrift(h.drift(2, h.of(drift.Scheduled, drift.Software)), false) }},
		{"stet state /home /usr/local", func(a *app) error {
			r := &stateReport{Machine: "hello", Bytes: 1_256_000, Entries: []ledger.Entry{
				{Path: "/home/ada", Standing: ledger.Owned, Owners: []ledger.Owner{{Kind: ledger.User, Name: "ada"}}, Bytes: 16_400, LastUse: evening(17, 48, 2)},
				{Path: "/home/eve", Standing: ledger.Unknown, Writer: "uid 1001", Bytes: 12_300, LastUse: evening(18, 31, 9)},
				{Path: "/usr/local/bin/tool", Standing: ledger.Unknown, Writer: "root", Bytes: 1_227_300, LastUse: evening(18, 4, 40)},
			}}
			(planPage{a.Stdout, term.New(a.Stdout, a.Getenv), false}).state(r)
			return nil
		}},
		{"stet drift", func(a *app) error { return a.reportDrift(h.drift(2, nil), false) }},
	}
}

// why asks the declaration, as of a commit that has all its lines.
func (h handmade) why(ctx context.Context, a *app, word string) error {
	commit := source.Line{ID: "8d1f2c94b7e0a6531d0c42f8b35e97a1c06d84fe", Date: "2026-11-02T08:47:10+01:00", Author: "Ada Lovelace", Subject: "say that the machine is written down"}
	q := question{machine: "hello", declared: written{h.Configuration, h.Machines["hello"], func(context.Context, config.Place) (source.Line, error) { return commit, nil }}}
	reports, err := q.optionsOf(ctx, word)
	for i := range reports {
		reports[i].History = []whyGeneration{{Number: 1, Date: time.Date(2026, 11, 2, 9, 0, 0, 0, time.Local), Commit: commit.ID, Subject: commit.Subject, Has: true, Same: true}}
		reports[i].Generation = 1
	}
	a.printWhy(reports)
	return err
}

// adopt adopts what is named into the configuration, and writes nothing.
func (h handmade) adopt(ctx context.Context, a *app, names ...string) error {
	text := newMotd
	chosen := slices.DeleteFunc(slices.Clone(h.findings), func(f drift.Finding) bool { return !slices.Contains(names, f.Name) })
	adopted, files, left, err := edition.Edition{Configuration: h.Configuration, Machine: "hello"}.Adopt(ctx, adopt.Machine{
		Drifted:   map[string]plan.Drifted{"/etc/motd": {Path: "/etc/motd", Change: plan.Modified, Type: "file", Mode: 0o644, Size: int64(len(text)), Text: &text}},
		Variables: map[string]string{"net.ipv4.ip_forward": "0"},
		Is:        adopt.ParseAccounts("root:x:0:0:root:/root:/bin/bash\n", "root:x:0:\n"),
		Read:      func(string) ([]byte, error) { return []byte(text), nil },
	}, chosen)
	if err != nil {
		return err
	}
	return a.reportAdopted(&adoptReport{Adopted: adopted, Files: files, Left: left}, adoptOptions{names: names})
}

// shownCommand is one of the page, and what prints its output.
type shownCommand struct {
	line  string
	print func(*app) error
}

// text is what it prints where no terminal is.
func (s shownCommand) text(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.print(&app{Environment: Environment{Stdout: &out, Getenv: func(string) string { return "" }}}); err != nil {
		t.Fatalf("%s: %v", s.line, err)
	}
	return out.String()
}

var commandShown = regexp.MustCompile("(?s)```console\n# (stet [^\n]*)\n.*?```\n")

// TestThePageOfDriftIsInStep holds docs/drift.md to what is printed, and its picture to
// what a terminal shows of that.
func TestThePageOfDriftIsInStep(t *testing.T) {
	h := newHandmade(t)
	if !slices.IsSortedFunc(h.findings, drift.Compare) {
		t.Error("stet drift tells these in another order")
	}
	shown := h.shown(t.Context())
	is, err := os.ReadFile(driftPage)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	page := commandShown.ReplaceAllStringFunc(string(is), func(block string) string {
		line := commandShown.FindStringSubmatch(block)[1]
		if n++; n > len(shown) || shown[n-1].line != line {
			t.Fatalf("block %d of %s shows %q, and nothing prints that", n, driftPage, line)
		}
		return fmt.Sprintf("```console\n# %s\n%s```\n", line, shown[n-1].text(t))
	})
	if n < len(shown) {
		t.Fatalf("%s does not show %q", driftPage, shown[n].line)
	}
	hold(t, driftPage, page)

	first := shown[0]
	seen := onTerminal(t, func(a *app) error {
		fmt.Fprintf(a.Stdout, "root@hello:~# %s\n", first.line)
		return first.print(a)
	})
	picture, err := drawn("What stet drift says of a machine that was changed by hand", seen)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, driftPicture, picture)
	if plain := styled.ReplaceAllString(seen, ""); plain != "root@hello:~# stet drift\n"+first.text(t) {
		t.Errorf("on a terminal it says something else:\n%s", plain)
	}
}

// TestTheFirstLinesMatter holds what a person reads first of the page: who got in, what
// that person may do, and what can be reached.
func TestTheFirstLinesMatter(t *testing.T) {
	var found []string
	for line := range strings.Lines(newHandmade(t).shown(t.Context())[0].text(t)) {
		if strings.HasPrefix(line, "  ") && line[2] != ' ' {
			found = append(found, line)
		}
	}
	want := []string{
		"  added eve: uid 1001, home /home/eve, in sudo\n", "  modified sudo: has eve, too\n",
		"  added 8080/tcp: tool of eve (/usr/local/bin/tool), in quick-fix.service\n",
	}
	if diff := cmp.Diff(want, found[:3]); diff != "" {
		t.Error(diff)
	}
}

// hold compares a page with what it has to be, or writes it with -update.
func hold(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(is)); diff != "" {
		t.Errorf("%s: run `make pages`:\n%s", name, diff)
	}
}
