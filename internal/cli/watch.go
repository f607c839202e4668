package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stet/internal/drift"
	"stet/internal/store"
	"stet/internal/term"
)

const (
	// watchFile has what the watcher saw last; a start of the machine forgets it.
	// Only root reads it: it names what is in directories that others may not read.
	watchFile = "/run/stet/drift.json"

	// driftNotice is read at every login, as noticeFile is.
	driftNotice = "/run/motd.d/stet-drift"

	// metricsName is what the watcher writes into the directory of the textfile
	// collector, which reads all that is called *.prom.
	metricsName = "stet.prom"
)

// look is what the watcher saw. `stet drift --watch --json` prints it.
type look struct {
	driftReport
	Date time.Time `json:"date"`
	New  []string  `json:"new"`  // names that the look before did not have
	Gone []string  `json:"gone"` // and those that only it has
}

// watch looks for drift as a timer has it done: it says what is new since the last
// look, and leaves the rest to the notice at login and to the metrics.
func (a *app) watch(ctx context.Context, s *store.Store, esp espFlag, metrics string) error {
	l, err := a.live(s, esp)
	if err != nil {
		return err
	}
	report, _, err := a.drift(ctx, s, esp)
	if err != nil {
		return err
	}
	last, err := l.lastLook()
	if err != nil {
		return err
	}
	now := report.since(last, a.Now())
	if err := l.remember(now); err != nil {
		return err
	}
	if metrics != "" {
		if err := replace(filepath.Join(metrics, metricsName), now.metrics()); err != nil {
			return fmt.Errorf("leave metrics: %w", err)
		}
	}
	if a.json {
		if err := a.printJSON(now); err != nil {
			return err
		}
	} else {
		a.printLook(now)
	}
	if len(now.Findings) > 0 {
		return &Failure{Code: ExitDiffers}
	}
	return nil
}

// since compares with the look before.
func (r driftReport) since(last look, now time.Time) look {
	is, was := r.names(), last.names()
	return look{r, now.UTC().Truncate(time.Second), without(is, was), without(was, is)}
}

// names has a word for each finding, that says what it is about.
func (r driftReport) names() []string {
	names := make([]string, 0, len(r.Findings))
	for _, f := range r.Findings {
		names = append(names, fmt.Sprintf("%s %s %s", f.Kind, f.Change, f.Name))
	}
	return names
}

// without is what is in all and not in some, each once.
func without(all, some []string) []string {
	left := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(some, name) })
	slices.Sort(left)
	return append([]string{}, slices.Compact(left)...)
}

// lastLook is empty when there was none since the machine was started.
func (l live) lastLook() (look, error) {
	text, err := os.ReadFile(l.at(watchFile))
	if errors.Is(err, fs.ErrNotExist) {
		return look{}, nil
	}
	if err != nil {
		return look{}, needRoot(err)
	}
	var last look
	if err := json.Unmarshal(text, &last); err != nil {
		return look{}, fmt.Errorf("read %s: %w", watchFile, err)
	}
	return last, nil
}

// remember keeps a look for the next one, and what a person is told at login.
func (l live) remember(now look) error {
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if err := l.place(watchFile, append(text, '\n'), 0o600); err != nil {
		return needRoot(err)
	}
	if notice := now.notice(); notice != "" {
		return l.place(driftNotice, []byte(notice), 0o644)
	}
	if err := os.Remove(l.at(driftNotice)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// notice is nothing when the machine is what it declares.
func (l look) notice() string {
	if len(l.Findings) == 0 {
		return ""
	}
	return fmt.Sprintf("This machine differs from what it declares in %s, as of %s.\n`stet drift` says more.\n",
		count(len(l.Findings), "place"), l.Date.Local().Format(time.DateTime))
}

// printLook says nothing of what was said before.
func (a *app) printLook(l look) {
	rows := make([][]string, 0, len(l.New)+len(l.Gone))
	for _, name := range l.New {
		rows = append(rows, []string{"new: " + name})
	}
	for _, name := range l.Gone {
		rows = append(rows, []string{"gone: " + name})
	}
	term.Table(a.Stdout, rows)
}

// metrics are in the text format of Prometheus
// (prometheus.io/docs/instrumenting/exposition_formats). A kind of which there is
// none has a zero, so that a query finds it.
func (l look) metrics() string {
	number := map[drift.Kind]int{}
	for _, f := range l.Findings {
		number[f.Kind]++
	}
	var text strings.Builder
	gauge := func(name, help string) { fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name) }
	gauge("stet_drift_findings", "Places in which the machine differs from its generation.")
	for _, kind := range drift.Kinds() {
		fmt.Fprintf(&text, "stet_drift_findings{kind=%q} %d\n", kind, number[kind])
	}
	gauge("stet_drift_look_timestamp_seconds", "When it was looked at last.")
	fmt.Fprintf(&text, "stet_drift_look_timestamp_seconds %d\n", l.Date.Unix())
	gauge("stet_system_info", "The system that runs, and the generation that it runs as.")
	fmt.Fprintf(&text, "stet_system_info{machine=%q,generation=\"%d\",system=%q} 1\n", l.Machine, l.Generation, l.System)
	return text.String()
}

// replace writes a file that others read, whole. Its temporary name is none that
// they read.
func replace(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".stet-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
