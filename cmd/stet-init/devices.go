package main

import (
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// devices are the aliases (MODALIAS) of the devices in sysfs, read bus by bus
// when they are asked for.
type devices struct {
	sys   string
	buses map[string][]string
}

// on lists the aliases on a bus: none, when the machine has no such bus, or not
// yet.
func (d devices) on(bus string) []string {
	aliases, known := d.buses[bus]
	if known {
		return aliases
	}
	directory := filepath.Join(d.sys, "bus", bus, "devices")
	entries, _ := os.ReadDir(directory)
	for _, entry := range entries {
		if alias, err := os.ReadFile(filepath.Join(directory, entry.Name(), "modalias")); err == nil {
			aliases = append(aliases, strings.TrimSpace(string(alias)))
		}
	}
	d.buses[bus] = aliases
	return aliases
}

// have reports whether a device matches one of the patterns.
func (d devices) have(patterns string) bool {
	for range d.like(patterns) {
		return true
	}
	return false
}

// like gives the aliases that match one of the patterns, as modprobe(8) understands
// them.
func (d devices) like(patterns string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for pattern := range strings.FieldsSeq(patterns) {
			literal := before(pattern, "*?[")
			bus := before(literal, ":") // acpi of acpi*:PNP0303:*
			for _, alias := range d.on(bus) {
				// Most patterns differ from an alias before their first wildcard.
				if !strings.HasPrefix(alias, literal) {
					continue
				}
				if ok, err := path.Match(pattern, alias); ok && err == nil && !yield(alias) {
					return
				}
			}
		}
	}
}

// before is the part of text before the first of several characters.
func before(text, chars string) string {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i]
	}
	return text
}

// loadNext loads the first module of a condition that was not tried yet and for
// which there is a device, and gives its name; "" when there is none. What a
// driver finds may be a bus with more devices, so whoever wants all asks again.
func (m *modules) loadNext(sys, when string) (name string, err error) {
	there := devices{sys, map[string][]string{}}
	for _, w := range m.wanted {
		if w.when == when && there.have(w.patterns) && m.try(w.name) {
			return w.name, m.start(w.name).wait()
		}
	}
	return "", nil
}

// try reports whether a driver was not tried before.
func (m *modules) try(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.tried[name]
	m.tried[name] = true
	return !before
}
