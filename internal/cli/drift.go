package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/term"
)

// driftReport is what `stet drift --json` prints.
type driftReport struct {
	Machine    string           `json:"machine"`
	System     string           `json:"system"`
	Generation int              `json:"generation,omitempty"`
	Findings   []driftedFinding `json:"findings"`
	Noise      []drift.Finding  `json:"noise,omitempty"` // with --all

	noise []drift.Finding // what Noise is, when it is asked for
}

// driftedFinding is a finding, and where what it differs from is declared.
type driftedFinding struct {
	drift.Finding
	Option   string        `json:"option,omitempty"`
	Place    *config.Place `json:"place,omitempty"`
	Packages []string      `json:"packages,omitempty"` // that brought it, where no option did
}

func newDrift(a *app) *cobra.Command {
	var esp espFlag
	var exitCode, saved, all, full, watch bool
	var metrics string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Say how this machine differs from what it declares",
		Long: `Compare the running machine with the system that it runs: files of /etc, units and
what changes them for this run, users, groups and passwords, programs that can be
reached, what is in /usr/local and /opt, tables of cron, mounts, what the boot loader
reads, the kernel's modules, variables and parameters. Each difference is named with
where it was declared, since when it is there, and with what undoing it would do.
"stet undo" puts back what is declared. With --saved it lists what was let go so far,
by starts, switches and undos.

What a machine is to keep, what users may choose themselves, and what software does
by design is none: --all shows it, with the reason. Only what can differ is read; with
--full all of the system is, as "stet verify" does, and what is damaged is named.

With --watch it is as the timer of the option drift.watch calls it: it says only what
is new since the last look, leaves a notice for who logs in, and with --metrics a file
for the textfile collector of Prometheus' node exporter.

Exit code 3 says, with --exit-code or --watch, that there is any.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			switch {
			case saved:
				return a.listSaved(s)
			case watch:
				return a.watch(cmd.Context(), s, esp, metrics)
			case metrics != "":
				return wrongInput(errors.New("--metrics is of the watcher"), "say --watch, too")
			}
			report, _, err := a.drift(cmd.Context(), s, esp)
			if err != nil {
				return err
			}
			if all {
				report.Noise = report.noise
			}
			if full {
				if err := a.readAll(cmd.Context(), s, report); err != nil {
					return err
				}
			}
			return a.reportDrift(report, exitCode)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show what is no deviation, too, with the reason")
	cmd.Flags().BoolVar(&full, "full", false, "read all of the system, too")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 3 when anything differs")
	cmd.Flags().BoolVar(&saved, "saved", false, "list what was changed in /etc and let go")
	cmd.Flags().BoolVar(&watch, "watch", false, "say what is new since the last look, and leave a notice for who logs in")
	cmd.Flags().StringVar(&metrics, "metrics", "", "a directory where --watch leaves metrics for Prometheus")
	esp.add(cmd)
	return cmd
}

// drift looks at the machine and compares. It gives what was seen, too.
func (a *app) drift(ctx context.Context, s *store.Store, esp espFlag) (*driftReport, *drift.Seen, error) {
	l, err := a.live(s, esp)
	if err != nil {
		return nil, nil, err
	}
	look := l.facts()
	if dir, err := l.needESP(); err == nil { // a machine may be started without one
		look.ESP = dir
	}
	running, seen, err := look.See(ctx)
	if err != nil {
		return nil, nil, explainLive(err)
	}
	found, noise, err := drift.Find(s, running, seen)
	if err != nil {
		return nil, nil, err
	}
	report := &driftReport{Machine: running.Machine, System: running.Digest, Findings: []driftedFinding{}, noise: noise}
	places, number, err := l.places(running.Digest)
	if err != nil {
		return nil, nil, err
	}
	report.Generation = number
	for _, f := range found {
		d := driftedFinding{Finding: f}
		d.Option, d.Place = places.ofFinding(f)
		report.Findings = append(report.Findings, d)
	}
	if err := report.addPackages(s); err != nil {
		return nil, nil, err
	}
	return report, seen, nil
}

// addPackages says which packages brought files that no option declares.
func (r *driftReport) addPackages(s *store.Store) error {
	var files []string
	for _, d := range r.Findings {
		if d.Place == nil && d.Kind == drift.File && d.Change != plan.Added {
			files = append(files, d.Name)
		}
	}
	if len(files) == 0 { // a large machine has 2,500 lists
		return nil
	}
	database, err := build.OpenDatabase(s, r.System)
	if err != nil {
		return err
	}
	owners, err := database.OwnersOf(files)
	if err != nil {
		return err
	}
	for i, d := range r.Findings {
		if d.Kind == drift.File {
			r.Findings[i].Packages = owners[d.Name]
		}
	}
	return nil
}

// places gives where the options of a system's configuration were written, and the
// number of the generation that it runs as. A generation that is gone, or was made of
// nothing written down, has no places.
func (l live) places(system string) (mapped, int, error) {
	booted, err := l.booted()
	if err != nil {
		return nil, 0, err
	}
	history, err := l.generations().List()
	if err != nil {
		return nil, 0, needRoot(err)
	}
	number := history.RunningAs(booted, system)
	g, err := history.Find(number)
	if err != nil {
		return nil, number, nil
	}
	places, err := readSourceMap(l.store, g)
	return places, number, err
}

// driftBlocks are the options whose parts are what findings are about.
var driftBlocks = map[drift.Kind][]string{
	drift.File: {"files"}, drift.Unit: {"units"}, drift.User: {"users"}, drift.Group: {"groups"},
	drift.Variable: {"sysctl"}, drift.Parameter: {"kernel", "parameters"},
}

// ofFinding gives the option that a finding is about, and where it was written.
func (m mapped) ofFinding(f drift.Finding) (string, *config.Place) {
	block, ok := driftBlocks[f.Kind]
	if !ok {
		return "", nil
	}
	option := config.PathOf(append(slices.Clone(block), f.Name))
	place, ok := m.at(option)
	if !ok {
		return "", nil
	}
	return option, &place
}

// reportDrift prints it.
func (a *app) reportDrift(r *driftReport, exitCode bool) error {
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		(planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}).deviations(r)
	}
	if exitCode && len(r.Findings) > 0 {
		return &Failure{Code: ExitDiffers}
	}
	return nil
}

// driftTitles are the sections of the page.
var driftTitles = map[drift.Kind]string{
	drift.Damage: "the system itself", drift.File: "files", drift.Unit: "units", drift.User: "users", drift.Group: "groups",
	drift.Port: "ports", drift.Software: "software beside the packages", drift.Scheduled: "scheduled",
	drift.Mount: "mounts", drift.Boot: "boot loader", drift.State: "links to the system in /var", drift.Module: "kernel modules",
	drift.Variable: "kernel variables", drift.Parameter: "kernel parameters",
}

// deviations writes how many there are, and then each.
func (p planPage) deviations(r *driftReport) {
	of := fmt.Sprintf("system %.12s", r.System)
	if r.Generation != 0 {
		of = fmt.Sprintf("generation %d", r.Generation)
	}
	defer p.noise(r.Noise)
	if len(r.Findings) == 0 {
		p.line(fmt.Sprintf("%s is what %s declares", r.Machine, of))
		return
	}
	p.line(fmt.Sprintf("%s differs from %s in %s", r.Machine, of, count(len(r.Findings), "place")))
	section := drift.Kind("")
	for _, f := range r.Findings {
		if f.Kind != section {
			section = f.Kind
			p.title(driftTitles[section])
		}
		p.deviation(f)
	}
}

// noise writes what is no deviation, and why.
func (p planPage) noise(all []drift.Finding) {
	if len(all) == 0 {
		return
	}
	p.title("no deviation")
	for _, f := range all {
		p.line("  " + string(f.Change) + " " + f.Name + ": " + f.Noise)
	}
}

// deviation writes one: what it is, then since when and where what it differs from is
// declared. The text of what is gone is declared, so that it is shown only when asked for.
func (p planPage) deviation(f driftedFinding) {
	line := "  " + string(f.Change) + " " + f.Name
	if f.What != "" {
		line += ": " + f.What
	}
	if f.Hidden != "" {
		line += " (" + f.Hidden + ")"
	}
	p.line(line)
	var more []string
	if !f.Since.IsZero() {
		more = append(more, "since "+f.Since.Local().Format(time.DateTime))
	}
	switch {
	case f.Place != nil:
		more = append(more, f.Place.String()+" declares it")
	case len(f.Packages) > 0:
		more = append(more, "of "+strings.Join(f.Packages, ", "))
	}
	if len(more) > 0 {
		p.screen.Aside("      " + strings.Join(more, "; "))
	}
	if f.Change != plan.Deleted || p.verbose {
		p.difference(f.Diff)
	}
}
