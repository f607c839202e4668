package plan

import (
	"maps"
	"slices"

	"stet/internal/unit"
)

// startWanted starts what active units newly want, and what those need.
func (s *scope) startWanted() error {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		if by := s.wanter(j); j.mended && by != "" {
			if err := s.start(j.new, by); err != nil {
				return err
			}
		}
		if !j.isUp() || j.new.Missing() {
			continue
		}
		starts := j.action == Start || j.action == StopStart || j.action == Restart
		if unit.Type(name) != "target" && !starts {
			continue
		}
		for _, key := range pulls {
			for _, wanted := range j.new.Related(key) {
				e, err := s.new.Load(wanted)
				if err != nil {
					return err
				}
				if !starts && s.relates(s.old, j.old, pulls, e.Name) {
					continue // it was wanted before: that it does not run is not ours
				}
				if err := s.start(e, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// start starts a unit that does not run, with all it pulls.
func (s *scope) start(e *unit.Effective, by string) error {
	if !s.mayStart(e) {
		return nil
	}
	j, known := s.judged[e.Name]
	if known && (j.isUp() || j.action == Stop || j.action == Keep) {
		return nil
	}
	if !known {
		j = &judged{RunningUnit: RunningUnit{Name: e.Name, Active: "inactive"}, new: e}
		var err error
		if j.old, err = s.old.Load(e.Name); err != nil {
			return err
		}
		s.judged[e.Name] = j
	}
	if in, k := s.inItsPlace(j); k != nil {
		s.owe(Debt{What: "unit " + e.Name, User: s.user, Until: k.until, Why: in + " is in its place: " + k.why})
		return nil
	}
	j.action = Start
	j.because(WhyWanted, by)
	for _, other := range s.inItsWay(j) {
		other.action = Stop
		other.because(WhyConflicts, j.Name)
	}
	if unit.Type(e.Name) == "socket" {
		s.stopServices(j)
	}
	for _, key := range pulls {
		for _, wanted := range e.Related(key) {
			next, err := s.new.Load(wanted)
			if err != nil {
				return err
			}
			if err := s.start(next, e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// inItsPlace gives a kept unit with which the unit cannot run: one conflicts with
// the other, or had a name that is now the unit's, or is a service that runs
// already without its socket.
func (s *scope) inItsPlace(starts *judged) (string, *keeping) {
	if unit.Type(starts.Name) == "socket" {
		if in, k := s.keptBehind(starts); k != nil {
			return in, k
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		if j.keep == nil || !j.keep.stop || !j.isActive() || j.Name == starts.Name {
			continue
		}
		shares := slices.ContainsFunc(s.new.Names(starts.Name), func(alias string) bool {
			o, err := s.old.Load(alias)
			return err == nil && o.Name == j.Name
		})
		if shares {
			return name, j.keep
		}
	}
	for _, other := range s.inItsWay(starts) {
		if other.keep != nil && other.keep.stop {
			return other.Name, other.keep
		}
		if in, k := s.wouldTake(other, true, map[string]bool{}); k != nil {
			return in, k
		}
	}
	return "", nil
}

// inItsWay gives the units that cannot run beside one that starts.
func (s *scope) inItsWay(starts *judged) []*judged {
	var out []*judged
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		other := s.running[name]
		if other != starts && other.isActive() &&
			(s.relates(s.new, starts.new, []string{"Conflicts"}, name) || s.relates(s.new, other.new, []string{"Conflicts"}, starts.Name)) {
			out = append(out, other)
		}
	}
	return out
}

// mayStart reports whether a unit can be started by a switch.
func (s *scope) mayStart(e *unit.Effective) bool {
	return !e.Missing() && !e.Masked && !e.Bool("Unit", "RefuseManualStart", false) && !e.Flag("X-OnlyManualStart", false)
}
