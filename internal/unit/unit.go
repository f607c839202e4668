package unit

import (
	"fmt"
	"strings"
)

// Unit is a parsed unit file: the assignments of each section in their order.
type Unit struct {
	Sections map[string][]Assignment
}

// Assignment is one "Key=Value".
type Assignment struct {
	Key, Value string
	Line       int
}

// Parse reads a unit file that somebody is about to write. Errors name the
// line: what systemd would pass over with a warning is a mistake here.
func Parse(text string) (*Unit, error) {
	u, faults := read(text)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	return u, nil
}

// Understand reads a unit file as systemd does: what it cannot read it passes
// over.
func Understand(text string) *Unit {
	u, _ := read(text)
	return u
}

func read(text string) (*Unit, []error) {
	u := &Unit{Sections: map[string][]Assignment{}}
	var faults []error
	section, pending, begin := "", "", 0
	take := func(line string) {
		if err := u.take(&section, line, begin); err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", begin, err))
		}
	}
	for number, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line != "" && (line[0] == '#' || line[0] == ';') {
			continue // also between continued lines
		}
		if pending == "" {
			begin = number + 1
		}
		// A backslash that another one escapes continues nothing.
		if slashes := len(line) - len(strings.TrimRight(line, `\`)); slashes%2 == 1 {
			pending += line[:len(line)-1] + " "
			continue
		}
		line, pending = strings.TrimSpace(pending+line), ""
		take(line)
	}
	take(strings.TrimSpace(pending)) // the file ends within a line
	return u, faults
}

// take reads one line that is no comment and has its continuations.
func (u *Unit) take(section *string, line string, number int) error {
	switch {
	case line == "":
	case line[0] == '[':
		name, ok := strings.CutSuffix(line[1:], "]")
		if !ok || name == "" {
			return fmt.Errorf("%q is no section", line)
		}
		*section = name
	default:
		key, value, ok := strings.Cut(line, "=")
		if !ok || *section == "" {
			return fmt.Errorf("%q is no assignment in a section", line)
		}
		u.Sections[*section] = append(u.Sections[*section], Assignment{strings.TrimSpace(key), strings.TrimSpace(value), number})
	}
	return nil
}

// Values gives what is assigned to a key; an empty assignment forgets those
// before it (systemd.syntax(7)).
func (u *Unit) Values(section, key string) []string {
	var values []string
	for _, a := range u.Sections[section] {
		switch {
		case a.Key != key:
		case a.Value == "":
			values = nil
		default:
			values = append(values, a.Value)
		}
	}
	return values
}

// Bool gives the last value of a key that systemd reads as yes or no, or
// otherwise when there is none.
func (u *Unit) Bool(section, key string, otherwise bool) bool {
	for _, value := range u.Values(section, key) {
		switch strings.ToLower(value) {
		case "1", "yes", "y", "true", "t", "on":
			otherwise = true
		case "0", "no", "n", "false", "f", "off":
			otherwise = false
		}
	}
	return otherwise
}

// List gives the words of all assignments of a key; an empty assignment
// empties the list.
func (u *Unit) List(section, key string) []string {
	var words []string
	for _, value := range u.Values(section, key) {
		words = append(words, strings.Fields(value)...)
	}
	return words
}
