package residue

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
)

// Class says what kind of residue a path is.
type Class string

// The classes.
const (
	Kept     Class = "kept"     // stays, perhaps treated
	Identity Class = "identity" // never in an image; made once on the machine
	Service  Class = "service"  // a service's own data; in no image, made once on the machine
	Made     Class = "made"     // made on the machine at every boot, of what its /etc says
	Derived  Class = "derived"  // in /var, but belongs to the generation
	Dropped  Class = "dropped"  // of no use to anybody
)

// What is done to kept files.
const (
	TreatmentSort     = "sort"          // sorts the lines
	TreatmentTriples  = "sort triples"  // sorts records of three lines
	TreatmentWithout  = "without"       // takes out the lines that the rule names
	TreatmentKeystore = "java keystore" // sorts a Java keystore and gives its entries the epoch
)

// Rule is one stanza of the table.
type Rule struct {
	Patterns  []string
	Class     Class
	Treatment string   // of a kept file; "" or one of the treatments
	Lines     string   // pattern of the lines that TreatmentWithout takes out
	Place     string   // of a derived directory: where it is in the generation; "" leaves it to system
	Package   string   // whose programs make it
	Done      string   // of what the machine makes: the path that is there once it was made
	Make      string   // of what the machine makes: the shell command that makes it; of others: the one that makes the paths anew at last
	StandIn   []string // of an identity or service: empty files that are there during the build, so that scripts need not make them
	Service   *ServiceRule
	Why       string
}

// Table is an ordered list of rules.
type Table struct {
	Rules    []Rule
	patterns []pattern // of all rules, in their order
}

// pattern is one of a rule's, with what all paths begin with that it matches: a table has
// hundreds, and most of a path's are told apart by that.
type pattern struct {
	text, begin string
	rule        *Rule
}

//go:embed table.txt
var builtin []byte

// Builtin gives Stet's own table, and its text, which is part of what a memo
// depends on.
func Builtin() (*Table, []byte, error) {
	t, err := Parse(builtin)
	return t, builtin, err
}

// formatVersion is the format of the table this package reads.
const formatVersion = "1"

// Parse reads a table. Errors name the line.
func Parse(text []byte) (*Table, error) {
	t := &Table{}
	err := debian.ReadTable("residue table", formatVersion, text, func(s debian.Stanza) error {
		rule, err := parseRule(s)
		t.Rules = append(t.Rules, rule)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range t.Rules {
		for _, text := range t.Rules[i].Patterns {
			begin := strings.TrimSuffix(text, "/")
			if wild := strings.IndexAny(begin, `*?[\`); wild >= 0 {
				begin = begin[:wild]
			}
			t.patterns = append(t.patterns, pattern{text, begin, &t.Rules[i]})
		}
	}
	return t, nil
}

func parseRule(s debian.Stanza) (Rule, error) {
	r := Rule{
		Patterns: strings.Fields(s.Get("Paths")), Class: Class(s.Get("Class")), Treatment: s.Get("Treatment"),
		Place: s.Get("Place"), Package: s.Get("Package"), Done: s.Get("Done"), Make: s.Get("Make"), Why: s.Get("Why"), Lines: s.Get("Lines"),
		StandIn: strings.Fields(s.Get("Stand-In")),
	}
	if r.Class == Service {
		r.Service = parseService(s)
	}
	if len(r.Patterns) == 0 || r.Why == "" {
		return r, errors.New("a rule needs Paths and Why")
	}
	for _, p := range r.Patterns {
		if _, err := path.Match(strings.ReplaceAll(p, "**", "*"), ""); err != nil || !strings.HasPrefix(p, "/") {
			return r, fmt.Errorf("%q is no pattern of an absolute path", p)
		}
	}
	if err := r.checkTreatment(); err != nil {
		return r, err
	}
	for _, name := range r.StandIn {
		if (r.Class != Identity && r.Class != Service) || !slices.ContainsFunc(r.Patterns, func(p string) bool { return matches(p, name) }) {
			return r, fmt.Errorf("%q stands in for nothing that goes again", name)
		}
	}
	switch r.Class {
	case Dropped:
	case Kept:
		return r, r.checkMake()
	case Identity:
		if (r.Make == "") != (r.Done == "") {
			return r, errors.New("an identity has both Make and Done, or neither")
		}
	case Made:
		if r.Make == "" || r.Done == "" || r.Package == "" {
			return r, errors.New("what is made at every boot has Package, Make and Done")
		}
	case Service:
		if err := r.checkService(); err != nil {
			return r, err
		}
	case Derived:
		for _, p := range r.Patterns {
			if !strings.HasSuffix(p, "/") {
				return r, fmt.Errorf("%q: what is derived is a directory and ends with a slash", p)
			}
		}
		return r, r.checkMake()
	default:
		return r, fmt.Errorf("unknown class %q", r.Class)
	}
	return r, nil
}

func (r *Rule) checkTreatment() error {
	switch r.Treatment {
	case "", TreatmentSort, TreatmentTriples, TreatmentKeystore:
	case TreatmentWithout:
		if _, err := path.Match(r.Lines, ""); err != nil || r.Lines == "" {
			return fmt.Errorf("%q is no pattern of lines", r.Lines)
		}
	default:
		return fmt.Errorf("unknown treatment %q", r.Treatment)
	}
	return nil
}

// checkMake wants the package of a command that makes paths at last.
func (r *Rule) checkMake() error {
	if (r.Make == "") != (r.Package == "") {
		return errors.New("what is made by a command has both Make and Package")
	}
	return nil
}

// MadeLast reports whether the paths are made anew when all scripts ran.
func (r *Rule) MadeLast() bool { return r.Make != "" && (r.Class == Kept || r.Class == Derived) }

// Match gives the first rule that has a pattern for a path.
func (t *Table) Match(name string) (*Rule, bool) {
	for i := range t.patterns {
		if p := &t.patterns[i]; strings.HasPrefix(name, p.begin) && matches(p.text, name) {
			return p.rule, true
		}
	}
	return nil, false
}

// IsWhole reports whether the rule is about a directory that has the path, and not
// only about the files there.
func (r *Rule) IsWhole(name string) bool {
	return slices.ContainsFunc(r.Patterns, func(p string) bool { return strings.HasSuffix(p, "/") && matches(p, name) })
}

func matches(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/"); ok {
		return name == dir || strings.HasPrefix(name, pattern)
	}
	if before, ok := strings.CutSuffix(pattern, "**"); ok {
		return strings.HasPrefix(name, before)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
