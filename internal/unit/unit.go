package unit

import (
	"fmt"
	"slices"
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

// Parse reads a unit file. Errors name the line.
func Parse(text string) (*Unit, error) {
	u := &Unit{Sections: map[string][]Assignment{}}
	section, pending, begin := "", "", 0
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && (line[0] == '#' || line[0] == ';') {
			continue // also between continued lines
		}
		if pending == "" {
			begin = number + 1
		}
		if rest, ok := strings.CutSuffix(line, `\`); ok {
			pending += rest + " "
			continue
		}
		line, pending = pending+line, ""
		switch {
		case line == "":
		case line[0] == '[':
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d: %q is no section", begin, line)
			}
			section = name
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				return nil, fmt.Errorf("line %d: %q is no assignment in a section", begin, line)
			}
			u.Sections[section] = append(u.Sections[section], Assignment{strings.TrimSpace(key), strings.TrimSpace(value), begin})
		}
	}
	return u, nil
}

// List gives the words of all assignments of a key; an empty assignment
// empties the list (systemd.syntax(7)).
func (u *Unit) List(section, key string) []string {
	var words []string
	for _, a := range u.Sections[section] {
		if a.Key != key {
			continue
		}
		if a.Value == "" {
			words = nil
		}
		words = append(words, strings.Fields(a.Value)...)
	}
	return words
}

// Link is a symlink below /etc/systemd/system.
type Link struct{ Path, Target string }

// InstallLinks gives the links that "systemctl enable" would make for the
// unit called name, whose file is at path, and the further units it asks for
// with Also=. It follows systemd.unit(5), "[INSTALL] SECTION OPTIONS".
func (u *Unit) InstallLinks(name, path string) (links []Link, also []string) {
	instance := name
	if prefix, suffix, ok := strings.Cut(name, "@."); ok {
		if def := u.List("Install", "DefaultInstance"); len(def) > 0 {
			instance = prefix + "@" + def[0] + "." + suffix
		}
	}
	for _, kind := range []struct{ key, dir string }{{"WantedBy", ".wants/"}, {"RequiredBy", ".requires/"}, {"UpheldBy", ".upholds/"}} {
		for _, target := range u.List("Install", kind.key) {
			links = append(links, Link{target + kind.dir + instance, path})
		}
	}
	for _, alias := range u.List("Install", "Alias") {
		links = append(links, Link{alias, path})
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Path, b.Path) })
	return links, u.List("Install", "Also")
}

// FileName is the name of the file a unit comes from: a template for an
// instance ("getty@tty1.service" is in "getty@.service").
func FileName(name string) string {
	prefix, rest, ok := strings.Cut(name, "@")
	if !ok {
		return name
	}
	if dot := strings.LastIndexByte(rest, '.'); dot >= 0 {
		return prefix + "@" + rest[dot:]
	}
	return name
}
