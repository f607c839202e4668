package debian

import (
	"errors"
	"fmt"
	"strings"
)

// Conffile is a configuration file as a package declares it.
type Conffile struct {
	Path string // absolute and clean

	// RemoveOnUpgrade marks a file that the package no longer has and that an
	// upgrade removes.
	RemoveOnUpgrade bool
}

// Conffiles reads the control file "conffiles" (deb-conffiles(5)) in its order;
// nil when there is none.
func (c *Control) Conffiles() ([]Conffile, error) {
	var conffiles []Conffile
	seen := make(map[string]bool)
	for i, line := range controlLines(c.Files["conffiles"]) {
		if line == "" {
			continue
		}
		var f Conffile
		f.Path = line
		if flag, name, flagged := strings.Cut(line, " "); flagged && line[0] != '/' {
			if flag != "remove-on-upgrade" {
				return nil, fmt.Errorf("conffiles line %d: unknown flag %.40q", i+1, flag)
			}
			f.RemoveOnUpgrade, f.Path = true, trimSpace(name)
		}
		relative, absolute := strings.CutPrefix(f.Path, "/")
		clean, err := entryPath(relative)
		if !absolute {
			err = fmt.Errorf("path %.80q is not absolute", f.Path)
		}
		if err != nil {
			return nil, fmt.Errorf("conffiles line %d: %w", i+1, err)
		}
		if clean == "/" || seen[clean] {
			return nil, fmt.Errorf("conffiles line %d: %s is there twice or no file", i+1, clean)
		}
		f.Path, seen[clean] = clean, true
		conffiles = append(conffiles, f)
	}
	return conffiles, nil
}

// Trigger is one directive of a package's control file "triggers".
type Trigger struct {
	Name string // a name, or an absolute path for a file trigger

	// Activate tells a package that activates the trigger when it is
	// configured from one that is interested in it.
	Activate bool

	// NoAwait: the activating package does not wait until the trigger was
	// processed.
	NoAwait bool
}

// Triggers reads the control file "triggers" (deb-triggers(5)) in its order;
// nil when there is none.
func (c *Control) Triggers() ([]Trigger, error) {
	var triggers []Trigger
	for i, line := range controlLines(c.Files["triggers"]) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		t, err := parseTrigger(words)
		if err != nil {
			return nil, fmt.Errorf("triggers line %d: %w", i+1, err)
		}
		triggers = append(triggers, t)
	}
	return triggers, nil
}

func parseTrigger(words []string) (Trigger, error) {
	if len(words) != 2 {
		return Trigger{}, errors.New("not a directive and a name")
	}
	t := Trigger{Name: words[1]}
	switch words[0] {
	case "interest", "interest-await":
	case "interest-noawait":
		t.NoAwait = true
	case "activate", "activate-await":
		t.Activate = true
	case "activate-noawait":
		t.Activate, t.NoAwait = true, true
	default:
		return Trigger{}, fmt.Errorf("unknown directive %.40q", words[0])
	}
	for i := 0; i < len(t.Name); i++ {
		if c := t.Name[i]; c <= ' ' || c >= 0x7f {
			return Trigger{}, fmt.Errorf("trigger name %.80q holds %q", t.Name, c)
		}
	}
	// A name becomes a file of dpkg's triggers directory.
	if t.Name[0] != '/' && (strings.Contains(t.Name, "/") || t.Name[0] == '.' || t.Name == "File") {
		return Trigger{}, fmt.Errorf("%.80q is not a trigger name", t.Name)
	}
	return t, nil
}

// controlLines splits the content of a control file into lines without the
// white space at their ends.
func controlLines(content []byte) []string {
	lines := strings.Split(string(content), "\n")
	for i := range lines {
		lines[i] = trimRight(lines[i])
	}
	return lines
}
