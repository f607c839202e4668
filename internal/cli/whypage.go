package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stet/internal/past"
	"stet/internal/term"
	"stet/internal/unit"
)

func (a *app) printWhy(reports []whyReport) {
	page := planPage{a.Stdout, term.New(a.Stdout, a.Getenv), a.verbose}
	for n, r := range reports {
		if n > 0 {
			page.line("")
		}
		page.listener(&r)
		page.origin(&r)
		for _, cause := range r.Causes {
			page.cause(cause)
		}
		for _, line := range slices.Concat(r.historyLines(), r.dependents(), r.Notes) {
			page.line(line)
		}
	}
}

// listener writes who has a port.
func (p planPage) listener(r *whyReport) {
	if len(r.Sockets) == 0 {
		return
	}
	var at []string
	for _, s := range r.Sockets {
		at = append(at, s.Address.String())
	}
	s := r.Sockets[0]
	who := cmp.Or(s.Unit, s.Program, "the kernel")
	if s.Unit != "" && s.Program != "" {
		who += " (" + s.Program + ")"
	}
	p.line(fmt.Sprintf("%s: %s listens at %s", r.What, who, listed(at)))
}

// origin writes the chain from the package that has the thing to the one
// that is wanted.
func (p planPage) origin(r *whyReport) {
	if len(r.Packages) == 0 {
		return
	}
	switch what := r.subject(); {
	case what == r.Packages[0]:
		p.line(fmt.Sprintf("%s is a package", what))
	case r.thing.Kind == past.Package:
		p.line(fmt.Sprintf("%s is provided by package %s", what, r.Packages[0]))
	default:
		p.line(fmt.Sprintf("%s is of package %s", what, r.Packages[0]))
	}
	for _, name := range r.Packages[1:] {
		p.line("which " + name + " needs")
	}
	if r.Priority != "" {
		p.line(fmt.Sprintf("which is %s", r.Priority))
	}
}

// subject is what the packages are of: of a port, the unit or program.
func (r *whyReport) subject() string {
	if len(r.Sockets) > 0 {
		return r.thing.Name
	}
	return r.What
}

// mostDependents is how many names of those that depend on a thing are printed.
const mostDependents = 8

// dependents say what else depends on the thing.
func (r *whyReport) dependents() (lines []string) {
	some := func(names []string) string {
		if more := len(names) - mostDependents; more > 0 {
			return strings.Join(names[:mostDependents], ", ") + fmt.Sprintf(" and %d more", more)
		}
		return strings.Join(names, ", ")
	}
	if len(r.ShippedBy) > 0 {
		lines = append(lines, "shipped by "+listed(r.ShippedBy)+", too")
	}
	if len(r.NeededBy) > 0 {
		lines = append(lines, fmt.Sprintf("needed by %s: %s", count(len(r.NeededBy), "package"), some(r.NeededBy)))
	}
	if len(r.Units) > 0 {
		lines = append(lines, unitsTitles[r.thing.Kind]+" "+some(named(r.Units, r.thing.Kind)))
	}
	return lines
}

// unitsTitles say what the units of a report have to do with its thing.
var unitsTitles = map[past.Kind]string{past.Unit: "brought along by", past.User: "the user of", past.File: "named by"}

// named writes units, with the key where that tells something.
func named(units []unit.Need, kind past.Kind) (all []string) {
	for _, u := range units {
		if kind != past.User {
			u.Unit += " (" + u.Key + "=)"
		}
		all = append(all, u.Unit)
	}
	return all
}

// cause writes one link: an option, its line, and whose commit that is of.
func (p planPage) cause(c whyCause) {
	switch {
	case c.Place.Line == 0:
		p.line(fmt.Sprintf("%s, by default", c.Path))
		return
	case c.Reason != "":
		p.line(fmt.Sprintf("%s: %s, for %s", c.Place, c.Path, c.Reason))
	default:
		p.line(fmt.Sprintf("%s: %s", c.Place, c.Path))
	}
	if c.Commit == nil {
		return
	}
	if c.Place.Excerpt != "" {
		term.Table(p.out, [][]string{{fmt.Sprintf("%4d | %s", c.Place.Line, short(strings.TrimSpace(c.Place.Excerpt)))}})
	}
	switch {
	case c.Commit.Unasked:
		p.line("     git, which knows the commit, is not installed")
		return
	case c.Commit.ID == "":
		p.line("     not committed yet")
		return
	}
	term.Table(p.out, [][]string{{"    ", c.Commit.ID[:12], c.Commit.Date, c.Commit.Author, c.Commit.Subject}})
}
