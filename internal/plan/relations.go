package plan

import (
	"maps"
	"slices"
	"strings"

	"stet/internal/unit"
)

// takesAlong are the dependencies by which a unit stops and restarts with
// another (systemd.unit(5)).
var takesAlong = []string{"Requires", "Requisite", "BindsTo", "PartOf"}

// pulls are the dependencies that start another unit first.
var pulls = []string{"Requires", "Wants", "BindsTo", "Upholds"}

// sockets gives the running sockets that start a service.
func (s *scope) sockets(service string) []*judged {
	var out []*judged
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		if unit.Type(name) == "socket" && j.isActive() && slices.Contains(s.started(j), service) {
			out = append(out, j)
		}
	}
	return out
}

// started gives the units that a socket, timer or path starts.
func (s *scope) started(j *judged) []string {
	kind := unit.Type(j.Name)
	e := j.new
	if e == nil || e.Missing() {
		e = j.old
	}
	switch kind {
	case "socket":
		if named := e.List("Socket", "Service"); len(named) > 0 {
			return named[len(named)-1:]
		}
		if e.Bool("Socket", "Accept", false) {
			return nil // one service for each connection; they end with it
		}
	case "timer", "path":
		section := map[string]string{"timer": "Timer", "path": "Path"}[kind]
		if named := e.List(section, "Unit"); len(named) > 0 {
			return named[len(named)-1:]
		}
	case "automount":
		return []string{strings.TrimSuffix(j.Name, kind) + "mount"}
	default:
		return nil
	}
	return []string{strings.TrimSuffix(j.Name, kind) + "service"}
}

// pairSockets stops services with their sockets: nobody can come in through a
// socket while its service is stopped, and no socket can start that has its
// service running already.
func (s *scope) pairSockets() {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		switch {
		case unit.Type(name) == "socket" && j.action == Restart:
			if service, k := s.keptBehind(j); k != nil {
				s.keepOn(j, keeping{until: k.until, why: service + " would go with it: " + k.why})
				continue
			}
			s.stopServices(j)
		case unit.Type(name) == "service" && j.action == StopStart && !j.new.Flag("X-NotSocketActivated", false):
			for _, socket := range s.sockets(name) {
				if _, k := s.wouldTake(socket, true, map[string]bool{}); k != nil || socket.keep != nil {
					continue // the socket is better off open than what it would take along
				}
				if socket.action == "" || socket.action == Restart {
					socket.action = StopStart
					socket.because(WhyWith, name)
				}
			}
		}
	}
}

// keptBehind gives a service of a socket that runs and must not be stopped, or
// what must not be and would go with one.
func (s *scope) keptBehind(socket *judged) (string, *keeping) {
	for _, service := range s.started(socket) {
		j, ok := s.running[service]
		if !ok || !j.isActive() {
			continue
		}
		if j.keep != nil {
			return service, j.keep
		}
		if with, k := s.wouldTake(j, true, map[string]bool{}); k != nil {
			return with, k
		}
	}
	return "", nil
}

// stopServices stops what runs behind a socket that has to stop or to start.
func (s *scope) stopServices(socket *judged) {
	for _, service := range s.started(socket) {
		j, ok := s.running[service]
		if !ok || !j.isActive() || j.goes() {
			continue
		}
		if socket.action == Restart {
			socket.action = StopStart
		}
		j.action = Stop // the socket starts it when it is needed
		if s.wanter(j) != "" {
			j.action = StopStart
		}
		j.because(WhySocket, socket.Name)
	}
}

// keepWhatKeptOnesNeed keeps every unit that would take a kept one along.
func (s *scope) keepWhatKeptOnesNeed() {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		if j.action != Restart && j.action != StopStart && j.action != Stop {
			continue
		}
		if with, k := s.wouldTake(j, j.stopsBefore(), map[string]bool{}); k != nil {
			s.keepOn(j, keeping{until: k.until, why: with + " would go with it: " + k.why})
		}
	}
}

// wouldTake gives the first unit that must not stop and would stop with j.
func (s *scope) wouldTake(j *judged, before bool, seen map[string]bool) (string, *keeping) {
	if seen[j.Name] {
		return "", nil
	}
	seen[j.Name] = true
	if j.keep != nil && j.keep.stop && len(seen) > 1 {
		return j.Name, j.keep
	}
	for _, with := range s.dependents(j, before) {
		if name, k := s.wouldTake(with, before || with.isGone(), seen); k != nil {
			return name, k
		}
	}
	return "", nil
}

// isGone reports whether the new system has no such unit, or has it masked.
func (j *judged) isGone() bool { return j.new.Missing() || j.new.Masked }

// stopsBefore reports whether the unit is stopped before the manager reads new
// files.
func (j *judged) stopsBefore() bool { return j.action == Stop || j.action == StopStart }

// dependents gives the running units that systemd stops or restarts with j, by
// what the files say that the manager knows: before the trees are replaced it is
// the old ones.
func (s *scope) dependents(j *judged, before bool) []*judged {
	var out []*judged
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		other := s.running[name]
		if other == j || !other.isActive() {
			continue
		}
		e, loader := other.new, s.new
		if before {
			e, loader = other.old, s.old
		}
		if s.relates(loader, e, takesAlong, j.Name) {
			out = append(out, other)
		}
	}
	return out
}

// relates reports whether one of a unit's dependencies means the unit called
// name.
func (s *scope) relates(loader *unit.Loader, e *unit.Effective, keys []string, name string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(s.related(loader, e, key), name) })
}

// relation is one kind of dependencies of one unit.
type relation struct {
	of  *unit.Effective
	key string
}

// related gives the ids of the units that a dependency names. All pairs of units
// are asked for it, so it is remembered.
func (s *scope) related(loader *unit.Loader, e *unit.Effective, key string) []string {
	if known, ok := s.relations[relation{e, key}]; ok {
		return known
	}
	var ids []string
	for _, name := range e.Related(key) {
		ids = append(ids, name)
		if o, err := loader.Load(name); err == nil && o.Name != name {
			ids = append(ids, o.Name)
		}
	}
	s.relations[relation{e, key}] = ids
	return ids
}

// propagate adds what systemd does by itself: units that stop, restart or reload
// with others.
func (s *scope) propagate() {
	var todo []*judged
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		if j := s.running[name]; j.action != "" && j.action != Keep && j.action != Start {
			todo = append(todo, j)
		}
	}
	for len(todo) > 0 {
		j := todo[0]
		todo = todo[1:]
		if j.action == Reload {
			todo = append(todo, s.reloadWith(j)...)
			continue
		}
		for _, with := range s.dependents(j, j.stopsBefore()) {
			action := StopStart
			switch {
			case with.stopsBefore():
				continue
			case with.isGone():
				action = Stop
			case j.action == Restart:
				action = Restart
			}
			if with.action == action {
				continue
			}
			with.action = action
			with.because(WhyWith, j.Name)
			todo = append(todo, with)
		}
	}
}

// reloadWith gives the units that reload with j and did not before.
func (s *scope) reloadWith(j *judged) []*judged {
	var out []*judged
	for _, name := range j.new.Related("PropagatesReloadTo") {
		if with, ok := s.running[name]; ok && with.isActive() && with.action == "" {
			with.action = Reload
			with.because(WhyWith, j.Name)
			out = append(out, with)
		}
	}
	return out
}

// wanter gives an active unit that stays and wants j in the new system; empty
// when there is none.
func (s *scope) wanter(j *judged) string {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		other := s.running[name]
		if other != j && other.isUp() && !other.new.Missing() && s.relates(s.new, other.new, pulls, j.Name) {
			return name
		}
	}
	return ""
}

// isTriggered reports whether a socket, timer or the like may have started j.
func (s *scope) isTriggered(j *judged) bool {
	for _, other := range s.running {
		if other.isUp() && slices.Contains(s.started(other), j.Name) {
			return true
		}
	}
	return false
}

// unwanted stops what an active target wanted and nobody wants any more: what is
// taken out of the configuration goes.
func (s *scope) unwanted() {
	for again := true; again; {
		again = false
		for _, name := range slices.Sorted(maps.Keys(s.running)) {
			j := s.running[name]
			if !j.isActive() || j.goes() || j.action == Keep || j.old.Missing() || unit.Type(name) == "target" || unit.Type(name) == "slice" {
				continue
			}
			if j.keep != nil && j.keep.stop || !s.wasWanted(j) || s.wanter(j) != "" || s.isTriggered(j) {
				continue
			}
			j.action, again = Stop, true
			j.reasons = []Reason{{Why: WhyUnwanted}}
		}
	}
}

// wasWanted reports whether an active unit wants j in the old system.
func (s *scope) wasWanted(j *judged) bool {
	for _, other := range s.running {
		if other != j && other.isActive() && s.relates(s.old, other.old, pulls, j.Name) {
			return true
		}
	}
	return false
}
