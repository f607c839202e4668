package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/boot"
	"stet/internal/health"
	"stet/internal/state"
	"stet/internal/term"
)

// record is what stet-init wrote down of this boot.
func (i installed) record() (state.Boot, error) {
	text, err := os.ReadFile(i.at(state.BootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state.Boot{}, wrongInput(errors.New("this is no machine that Stet made"), "")
	}
	if err != nil {
		return state.Boot{}, needRoot(err)
	}
	return state.ParseBoot(text)
}

// healthFile has what the checks of this boot, or of the last switch, found.
const healthFile = "/run/stet/health.json"

// examination is the content of [healthFile].
type examination struct {
	Generation int             `json:"generation,omitempty"` // that was booted; a switch may have none
	Date       time.Time       `json:"date"`
	Checks     []health.Result `json:"checks"`
}

func (i installed) examination() (*examination, error) {
	text, err := os.ReadFile(i.at(healthFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var e examination
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", healthFile, err)
	}
	return &e, nil
}

// statusReport is what `stet status --json` prints.
type statusReport struct {
	OK         bool               `json:"ok"`
	Machine    string             `json:"machine"`
	System     string             `json:"system"`
	Generation statusGeneration   `json:"generation"`
	Health     statusHealth       `json:"health"`
	Failed     []failedGeneration `json:"failed,omitempty"`
	Tried      *tried             `json:"tried,omitempty"`
	Owed       []owed             `json:"owed,omitempty"`
	Problems   []string           `json:"problems,omitempty"` // of this boot
}

// statusGeneration says which generations matter now, and where the running one
// came from; 0 stands for none.
type statusGeneration struct {
	Booted  int `json:"booted,omitempty"`
	Running int `json:"running,omitempty"`
	Default int `json:"default,omitempty"`

	Date    *time.Time `json:"date,omitempty"`
	Commit  string     `json:"commit,omitempty"`
	Subject string     `json:"subject,omitempty"`
	Dirty   bool       `json:"dirty,omitempty"`
}

// statusHealth is how the machine was when it was last looked at.
type statusHealth struct {
	State  string          `json:"state"` // good, unwell, unknown
	Checks []health.Result `json:"checks,omitempty"`
}

// failedGeneration is one that is not to be used.
type failedGeneration struct {
	Number int    `json:"number"`
	Why    string `json:"why"`
}

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "What runs on this machine, and how it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mustBeRoot(); err != nil {
				return err
			}
			here, err := a.installed(espFlag{})
			if err != nil {
				return err
			}
			report, err := here.status()
			if err != nil {
				return err
			}
			if report.Owed, err = (live{installed: here}).debts(cmd.Context()); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(report)
			}
			report.print(a.Stdout)
			return nil
		},
	}
}

// status gathers it all.
func (i installed) status() (*statusReport, error) {
	record, err := i.record()
	if err != nil {
		return nil, err
	}
	report := &statusReport{OK: true, Machine: record.Machine, System: record.System, Problems: record.Problems}
	if report.Generation.Booted, err = i.booted(); err != nil {
		return nil, err
	}
	history, err := i.generations().List()
	if err != nil {
		return nil, needRoot(err)
	}
	esp, err := boot.ReadNames(i.esp())
	if err != nil {
		return nil, err
	}
	report.Generation.Default = esp.Default()
	report.Generation.Running = history.RunningAs(report.Generation.Booted, record.System)
	running, err := history.Find(report.Generation.Running)
	if err == nil {
		date := running.Date
		report.Generation.Date, report.Generation.Commit, report.Generation.Subject, report.Generation.Dirty = &date, running.ID, running.Subject, running.Dirty
	}
	given := esp.GivenUp()
	for _, g := range history.Generations {
		if why := cmp.Or(g.Failed, g.Unwell); g.Failed != "" || given[g.Number] && g.Number != report.Generation.Booted {
			report.Failed = append(report.Failed, failedGeneration{g.Number, cmp.Or(why, "none of its tries succeeded")})
		}
	}
	if try, err := i.attempt(); err != nil {
		return nil, err
	} else if try != nil {
		report.Tried = try.tried()
	}
	seen, err := i.examination()
	if err != nil {
		return nil, err
	}
	report.Health = judge(seen, running.Good)
	return report, nil
}

// judge tells how the machine is by what was seen of it; where nothing was, a
// generation that is marked good has been before.
func judge(seen *examination, good bool) statusHealth {
	switch {
	case seen == nil && good:
		return statusHealth{State: "good"}
	case seen == nil:
		return statusHealth{State: "unknown"}
	case len(health.Failed(seen.Checks)) > 0:
		return statusHealth{State: "unwell", Checks: seen.Checks}
	}
	return statusHealth{State: "good", Checks: seen.Checks}
}

// print is for people.
func (r *statusReport) print(out io.Writer) {
	rows := [][]string{{"machine", r.Machine}}
	if g := r.Generation; g.Running != 0 || g.Booted != 0 {
		rows = append(rows, []string{"generation", g.String()})
		if g.Commit != "" {
			words := g.Commit[:min(len(g.Commit), 12)] + " " + g.Subject
			if g.Dirty {
				words += " (with changes that are in no commit)"
			}
			rows = append(rows, []string{"commit", words})
		}
	}
	rows = append(rows, []string{"system", r.System}, []string{"health", r.Health.String()})
	if r.Tried != nil {
		rows = append(rows, []string{"tried", r.Tried.String()})
	}
	for _, o := range r.Owed {
		rows = append(rows, []string{"not before", strings.Join(debtRow(o.Debt), ": ")})
	}
	for _, f := range r.Failed {
		rows = append(rows, []string{"failed", fmt.Sprintf("generation %d: %s", f.Number, f.Why)})
	}
	for _, p := range r.Problems {
		rows = append(rows, []string{"problem", p})
	}
	term.Table(out, rows)
}

func (g statusGeneration) String() string {
	if g.Running == g.Booted && g.Default == g.Booted {
		return fmt.Sprintf("%d, booted, running and default", g.Booted)
	}
	words := []string{}
	for _, role := range []struct {
		name   string
		number int
	}{{"running", g.Running}, {"booted", g.Booted}, {"default", g.Default}} {
		if role.number != 0 {
			words = append(words, fmt.Sprintf("%d %s", role.number, role.name))
		}
	}
	return strings.Join(words, ", ")
}

func (h statusHealth) String() string {
	failed := health.Failed(h.Checks)
	switch {
	case len(failed) > 0:
		return h.State + ": " + sentence(failed)
	case len(h.Checks) > 0:
		return fmt.Sprintf("%s: %s", h.State, count(len(h.Checks), "check"))
	}
	return h.State
}

// sentence joins what went wrong.
func sentence(failed []health.Result) string {
	words := make([]string, len(failed))
	for i, r := range failed {
		words[i] = r.String()
	}
	return strings.Join(words, "; ")
}

// notice is what a person is told at login: what would be missed otherwise.
// Nothing when all is well.
func (r *statusReport) notice() string {
	var text strings.Builder
	newer := slices.DeleteFunc(slices.Clone(r.Failed), func(f failedGeneration) bool { return f.Number < r.Generation.Running })
	for _, f := range newer {
		fmt.Fprintf(&text, "Generation %d failed: %s\n", f.Number, f.Why)
	}
	if len(newer) > 0 {
		fmt.Fprintf(&text, "This machine runs generation %d.\n", r.Generation.Running)
	}
	if failed := health.Failed(r.Health.Checks); len(failed) > 0 {
		fmt.Fprintf(&text, "This machine is not well: %s\n", sentence(failed))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&text, "Since this boot: %s\n", p)
	}
	if text.Len() == 0 {
		return ""
	}
	return text.String() + "`stet status` says more.\n"
}
