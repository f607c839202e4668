package plan

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
)

//go:embed table.txt
var builtin []byte

// table is what is known of services that a plan must treat with care.
type table struct {
	keep   []keepRule
	tell   []tellRule
	read   []readRule
	logins []loginRule
}

// keepRule names units that go on as they are.
type keepRule struct {
	units, userUnits, partOf []string
	until                    Until
	why                      string
}

// tellRule says what is done when files are others.
type tellRule struct {
	paths           []string
	run             []string
	needs           string
	reload, restart []string
	reexec          bool
	why             string
}

// readRule says what of /etc is read by managers, or by generators that make units for
// them.
type readRule struct {
	paths []string
	by    []string // names of generators, or manager
}

// loginRule says where keys of people are, by which they log in.
type loginRule struct {
	path  string // a pattern below /etc; its last name is the person's
	needs string // the program that reads it
}

// tableFormat is the format of the table this package reads.
const tableFormat = "1"

func parseTable(text []byte) (*table, error) {
	t := &table{}
	if err := debian.ReadTable("plan table", tableFormat, text, t.add); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *table) add(s debian.Stanza) error {
	words := func(field string) []string { return strings.Fields(s.Get(field)) }
	why := s.Get("Why")
	if why == "" {
		return errors.New("a rule needs Why")
	}
	if until, ok := s.Lookup("Keep"); ok {
		r := keepRule{words("Units"), words("User-Units"), words("Part-Of"), Until(until), why}
		if !slices.Contains([]Until{UntilRestart, UntilLogout, UntilSoftReboot, UntilFullReboot}, r.until) {
			return fmt.Errorf("%q is no end", until)
		}
		for _, pattern := range slices.Concat(r.units, r.userUnits, r.partOf) {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("%q is no pattern of units", pattern)
			}
		}
		t.keep = append(t.keep, r)
		return nil
	}
	if pattern, ok := s.Lookup("Login"); ok {
		r := loginRule{pattern, s.Get("Needs")}
		if _, err := path.Match(pattern, ""); err != nil || !strings.HasPrefix(pattern, "/etc/") || r.needs == "" {
			return errors.New("a rule with Login has a pattern of paths below /etc, and Needs")
		}
		t.logins = append(t.logins, r)
		return nil
	}
	if by, ok := s.Lookup("Read-By"); ok {
		r := readRule{words("Paths"), strings.Fields(by)}
		for _, name := range r.paths {
			if !strings.HasPrefix(name, "/etc/") {
				return fmt.Errorf("%s is not below /etc", name)
			}
		}
		t.read = append(t.read, r)
		return nil
	}
	r := tellRule{words("Paths"), words("Run"), s.Get("Needs"), words("Reload"), words("Restart"), s.Get("Reexec") == "yes", why}
	switch {
	case len(r.paths) == 0:
		return errors.New("a rule needs Keep, Paths, Read-By or Login")
	case len(r.run)+len(r.reload)+len(r.restart) == 0 && !r.reexec:
		return errors.New("a rule with Paths has Run, Reload, Restart or Reexec")
	case (r.needs == "") != (len(r.run) == 0):
		return errors.New("a rule has both Run and Needs, or neither")
	}
	t.tell = append(t.tell, r)
	return nil
}

// kept gives the rule that keeps a unit of a manager, if one does. part are the
// units that it is part of.
func (t *table) kept(user, name string, part []string) (*keepRule, bool) {
	for i := range t.keep {
		r := &t.keep[i]
		patterns := r.units
		if user != "" {
			patterns = r.userUnits
		}
		if anyMatches(patterns, name) || user != "" && slices.ContainsFunc(part, func(p string) bool { return anyMatches(r.partOf, p) }) {
			return r, true
		}
	}
	return nil, false
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// managerReads is the name of what the manager itself reads.
const managerReads = "manager"

// reads gives what of /etc is read when a manager reads its units again, with
// generators of some names. Of one that no rule names nobody knows.
func (t *table) reads(generators []string) (paths []string, known bool) {
	named := map[string]bool{}
	for _, r := range t.read {
		for _, by := range r.by {
			named[by] = true
			if by == managerReads || slices.Contains(generators, by) {
				paths = append(paths, r.paths...)
			}
		}
	}
	return paths, !slices.ContainsFunc(generators, func(name string) bool { return !named[name] })
}
