package unit

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Need is a unit that has to do with something, and by which of its keys.
type Need struct {
	Unit string `json:"unit"`
	Key  string `json:"key"` // Wants, User, ExecStart
}

// needing are the keys of [Unit] by which a unit brings another along.
var needing = []string{"Requires", "Requisite", "BindsTo", "Wants", "Upholds"}

// Needing gives the units that bring a unit along, by a line of theirs or a link
// such as those in multi-user.target.wants; an instance is needed as its template
// is. They are sorted, each with the strongest key.
func (l *Loader) Needing(name string) ([]Need, error) {
	unit, err := l.Load(name)
	if err != nil {
		return nil, err
	}
	names := l.names(unit.Name)
	return l.each(func(e *Effective) string {
		for _, key := range needing {
			for _, other := range e.Related(key) {
				if slices.Contains(names, other) || slices.Contains(names, FileName(other)) {
					return key
				}
			}
		}
		return ""
	})
}

// RunAs gives the units whose processes have a user.
func (l *Loader) RunAs(user string) ([]Need, error) {
	return l.each(func(e *Effective) string {
		if values := e.Values(Section(e.Name), "User"); len(values) > 0 && values[len(values)-1] == user {
			return "User"
		}
		return ""
	})
}

// Naming gives the units of which a line names a path.
func (l *Loader) Naming(name string) ([]Need, error) {
	return l.each(func(e *Effective) string {
		for _, section := range slices.Sorted(maps.Keys(e.Sections)) {
			for _, a := range e.Sections[section] {
				if names(a.Value, name) {
					return a.Key
				}
			}
		}
		return ""
	})
}

// Listening gives the sockets that wait at a port.
func (l *Loader) Listening(port uint16) ([]Need, error) {
	number := strconv.Itoa(int(port))
	return l.each(func(e *Effective) string {
		for _, key := range []string{"ListenStream", "ListenDatagram"} {
			for _, at := range e.Values("Socket", key) {
				if at == number || strings.HasSuffix(at, ":"+number) {
					return key
				}
			}
		}
		return ""
	})
}

// names says whether a path stands in a value by itself: at most behind what systemd
// puts before a program ("-/usr/bin/true") or between a pair ("/a:/b", "A=/b").
func names(value, name string) bool {
	for {
		before, after, found := strings.Cut(value, name)
		if !found {
			return false
		}
		if (before == "" || strings.ContainsAny(before[len(before)-1:], " \t\"'=:;,-+!@|")) && (after == "" || strings.ContainsAny(after[:1], " \t\"':;,")) {
			return true
		}
		value = after
	}
}

// each asks of every unit that has a file by which key it has to do with
// something; "" stands for none.
func (l *Loader) each(by func(*Effective) string) ([]Need, error) {
	var all []Need
	for _, name := range slices.Sorted(maps.Keys(l.index)) {
		e, err := l.Load(name)
		if err != nil {
			return nil, err
		}
		if e.Name != name {
			continue // an alias
		}
		if key := by(e); key != "" {
			all = append(all, Need{name, key})
		}
	}
	return all, nil
}
