package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"stet/internal/plan"
	"stet/internal/term"
)

// reportPlan prints a plan. What has to be decided first is exit code 3, and with
// --exit-code anything that would be done.
func (a *app) reportPlan(p *plan.Plan, exitCode bool) error {
	if a.json {
		if err := a.printJSON(p); err != nil {
			return err
		}
	} else {
		page := planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}
		page.write(p)
	}
	if len(p.Decisions) > 0 || exitCode && !p.Empty() {
		return &Failure{Code: ExitDiffers}
	}
	return nil
}

// planPage is a plan as people read it: what they have to decide first, then
// what is done to what runs, then what changes, and what it costs.
type planPage struct {
	out     io.Writer
	screen  *term.Terminal
	verbose bool // differences of any length
}

// shownLines is how much of one difference is shown.
const shownLines = 30

func (p planPage) write(all *plan.Plan) {
	if all.Empty() {
		p.line(fmt.Sprintf("%s runs %.12s: nothing to do", all.Machine, all.New))
		return
	}
	p.line(fmt.Sprintf("%s %.12s → %.12s: %s", all.Machine, all.Old, all.New, kindText(all.Kind)))
	p.decisions(all)
	p.section("units", unitRows(all))
	p.section("not before", debtRows(all))
	p.section("packages", packageRows(all))
	p.files(all)
	p.drift(all)
	p.section("users", accountRows(all))
	p.section("sysctl", sysctlRows(all))
	p.section("mounts", mountRows(all))
	p.section("data of older versions", migrationRows(all))
	p.section("steps of packages' scripts that are not run", scriptRows(all))
	p.section("commands", taskRows(all))
	p.cost(all)
}

// kindText says in words what kind of change it is.
func kindText(k plan.Kind) string {
	switch k {
	case plan.Live:
		return "live, without a reboot"
	case plan.SoftReboot:
		return "live, and the rest at a soft reboot"
	case plan.FullReboot:
		return "live, and the rest at a full reboot"
	}
	return string(k)
}

// line writes one line. What is in it was written by others: it must not steer
// the terminal.
func (p planPage) line(text string) { term.Table(p.out, [][]string{{text}}) }

// title writes a line that begins a section.
func (p planPage) title(text string) {
	fmt.Fprintln(p.out)
	p.screen.Title(text)
}

// decisions writes what is to be decided, each with its remedy.
func (p planPage) decisions(all *plan.Plan) {
	if len(all.Decisions) == 0 {
		return
	}
	p.title("to decide first")
	for _, d := range all.Decisions {
		p.line("  " + d.What + " " + d.Why)
		p.line("    " + d.Remedy)
	}
}

// section writes rows under a title, if there are any.
func (p planPage) section(title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.title(title)
	indented := make([][]string, len(rows))
	for i, row := range rows {
		indented[i] = slices.Clone(row)
		indented[i][0] = "  " + row[0]
	}
	term.Table(p.out, indented)
}

// files writes changed files with their differences.
func (p planPage) files(all *plan.Plan) {
	if len(all.Files) == 0 {
		return
	}
	p.title("files")
	for _, f := range all.Files {
		line := "  " + change(f.Old != nil, f.New != nil) + " " + f.Path
		if note := fileNote(f); note != "" {
			line += ": " + note
		}
		p.line(line)
		p.difference(f.Diff)
	}
}

func (p planPage) difference(diff string) {
	if diff == "" {
		return
	}
	most := shownLines
	if p.verbose {
		most = strings.Count(diff, "\n")
	}
	p.screen.Diff("      ", diff, most)
}

// drift writes what people changed in /etc and what becomes of it.
func (p planPage) drift(all *plan.Plan) {
	if len(all.Drift) == 0 {
		return
	}
	p.title("changed on the machine: saved, then undone")
	for _, d := range all.Drift {
		line := "  " + change(d.Change != plan.Added, d.Change != plan.Deleted) + " " + d.Path
		switch {
		case d.Conflict:
			line += ": the new system changes it, too"
		case d.Hidden != "":
			line += ": " + d.Hidden
		}
		p.line(line)
		p.difference(d.Diff)
	}
}

func (p planPage) cost(all *plan.Plan) {
	var parts []string
	if all.Fetch.Objects > 0 {
		parts = append(parts, fmt.Sprintf("%s to fetch, %s", count(all.Fetch.Objects, "object"), term.Bytes(all.Fetch.Bytes)))
	}
	if all.ESP.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("%s on the EFI system partition, which has %s free", term.Bytes(all.ESP.Bytes), term.Bytes(all.ESP.Free)))
	}
	if len(parts) > 0 {
		fmt.Fprintf(p.out, "\n%s\n", strings.Join(parts, "; "))
	}
}
