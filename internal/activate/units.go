package activate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stet/internal/fault"
	"stet/internal/plan"
	"stet/internal/systemd"
)

// batch is units of one manager to which the same is done at once.
type batch struct {
	user  string
	verb  systemd.Verb
	units []string
}

// batches gives what is done to units with one of the actions, one batch for
// each manager, in the order of the plan.
func (s *switching) batches(verb systemd.Verb, actions ...plan.Action) []batch {
	var all []batch
	for _, u := range s.Plan.Units {
		if !slices.Contains(actions, u.Action) {
			continue
		}
		i := slices.IndexFunc(all, func(b batch) bool { return b.user == u.User })
		if i < 0 {
			all = append(all, batch{user: u.User, verb: verb})
			i = len(all) - 1
		}
		all[i].units = append(all[i].units, u.Name)
	}
	return all
}

// journal writes down what is done to units. While it restarts, what the manager
// says of its jobs is lost.
const journal = "systemd-journald.service"

// journalLast has the journal restart by itself, when all else is done. Its socket
// keeps what it has not read by then.
func journalLast(all []batch) []batch {
	is := func(name string) bool { return name == journal }
	var last []batch
	for i, b := range all {
		if b.user == "" && b.verb == systemd.Restart && slices.ContainsFunc(b.units, is) {
			all[i].units = slices.DeleteFunc(b.units, is)
			last = append(last, batch{verb: b.verb, units: []string{journal}})
		}
	}
	all = slices.DeleteFunc(all, func(b batch) bool { return len(b.units) == 0 })
	return append(all, last...)
}

// do carries out batches. What fails is noted.
func (s *switching) do(ctx context.Context, all []batch) error {
	ctx, cancel := context.WithTimeout(ctx, jobsDeadline)
	defer cancel()
	for _, b := range all {
		if err := s.Systemd.Do(ctx, b.user, b.verb, b.units); err != nil {
			for _, name := range b.units {
				s.failed = append(s.failed, plan.UnitName{Name: name, User: b.user})
			}
			return err
		}
	}
	return nil
}

// stop stops what does not run while the trees are replaced. The last in the
// plan is first. Processes take their time to end, in which the machine has little to do.
func (s *switching) stop(ctx context.Context) error {
	if s.Meanwhile != nil {
		s.Meanwhile()
	}
	all := s.batches(systemd.Stop, plan.Stop, plan.StopStart)
	slices.Reverse(all)
	for _, b := range all {
		slices.Reverse(b.units)
	}
	return s.do(ctx, all)
}

// tell runs the plan's commands and has managers read their units again.
func (s *switching) tell(ctx context.Context) error {
	for _, t := range s.Plan.Tasks {
		if err := s.Systemd.Task(ctx, t.Run); err != nil {
			return fmt.Errorf("%s (%s): %w", strings.Join(t.Run, " "), t.Why, err)
		}
	}
	fault.Reach(fault.TasksDone)
	for _, m := range s.Plan.Managers {
		tell := s.Systemd.Reload
		if m.Action == plan.ManagerReexec {
			tell = s.Systemd.Reexec
		}
		if err := tell(ctx, m.User); err != nil {
			return err
		}
	}
	return nil
}

// start does what comes when the new trees are there.
func (s *switching) start(ctx context.Context) error {
	return s.do(ctx, journalLast(slices.Concat(
		s.batches(systemd.Reload, plan.Reload),
		s.batches(systemd.Restart, plan.Restart),
		s.batches(systemd.Start, plan.StopStart, plan.Start),
	)))
}

// settle is how long a unit that was started may take to fall over.
const settle = 300 * time.Millisecond

// healthy looks whether all that is to run runs, and that nothing failed that
// had not before. While units have their time to fall over, the rest is looked at.
func (s *switching) healthy(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	others := make(chan error, 1)
	go func() { others <- s.examine(ctx) }()
	unproven, err := s.unproven(ctx)
	if err == nil && unproven {
		err = sleep(ctx, settle)
	}
	if err != nil {
		return err
	}
	failed, err := s.failedUnits(ctx)
	if err != nil {
		return err
	}
	var names []string
	for u := range failed {
		if !s.before[u] {
			s.failed = append(s.failed, u)
			names = append(names, u.Name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		return fmt.Errorf("failed now: %s", strings.Join(names, " "))
	}
	return <-others
}

// unproven reports whether a service was started whose start proves nothing: the job of
// one that says itself that it is ready ends only then (systemd.service(5), Type=).
func (s *switching) unproven(ctx context.Context) (bool, error) {
	for _, b := range s.batches(systemd.Start, plan.StopStart, plan.Restart, plan.Start) {
		types, err := s.Systemd.Types(ctx, b.user, b.units)
		if err != nil {
			return false, err
		}
		for _, name := range types {
			if name == "simple" || name == "exec" || name == "idle" {
				return true, nil
			}
		}
	}
	return false, nil
}

// examine has the caller look.
func (s *switching) examine(ctx context.Context) error {
	if s.Healthy == nil {
		return nil
	}
	return s.Healthy(ctx)
}

// failedUnits are those of all managers of the plan that failed, or fall over
// again and again.
func (s *switching) failedUnits(ctx context.Context) (map[plan.UnitName]bool, error) {
	users := []string{""}
	for _, u := range s.Plan.Units {
		if !slices.Contains(users, u.User) {
			users = append(users, u.User)
		}
	}
	failed := map[plan.UnitName]bool{}
	for _, user := range users {
		units, err := s.Systemd.Failed(ctx, user)
		if err != nil {
			return nil, err
		}
		for _, u := range units {
			failed[plan.UnitName{Name: u.Name, User: user}] = true
		}
	}
	return failed, nil
}

// tellBack has managers read the old units again.
func (s *switching) tellBack(ctx context.Context) error {
	var left []error
	for _, m := range s.Plan.Managers {
		if m.Action == plan.ManagerReexec && s.Phase >= telling {
			left = append(left, s.Systemd.Reexec(ctx, m.User))
		} else {
			left = append(left, s.Systemd.Reload(ctx, m.User))
		}
	}
	return errors.Join(left...)
}

// startBack does the inverse of what was done to units.
func (s *switching) startBack(ctx context.Context) error {
	var all []batch
	if s.Phase >= starting {
		all = slices.Concat(
			s.batches(systemd.Stop, plan.Start),
			s.batches(systemd.Reload, plan.Reload),
			s.batches(systemd.Restart, plan.Restart, plan.StopStart),
			s.batches(systemd.Start, plan.Stop),
		)
	} else {
		all = s.batches(systemd.Start, plan.Stop, plan.StopStart)
	}
	var left []error
	for _, b := range journalLast(all) {
		if b.verb != systemd.Reload {
			// What failed too often is not started again; not to have failed is no error.
			_ = s.Systemd.ResetFailed(ctx, b.user, b.units)
		}
		if b.verb == systemd.Stop {
			var err error
			b.units, err = s.running(ctx, b.user, b.units)
			left = append(left, err)
		}
		if len(b.units) > 0 {
			left = append(left, s.Systemd.Do(ctx, b.user, b.verb, b.units))
		}
	}
	return errors.Join(left...)
}

// running are those of the units that are not inactive. Of what the old trees do not
// have and did not start, systemd knows nothing any more: it cannot be stopped.
func (s *switching) running(ctx context.Context, user string, units []string) ([]string, error) {
	known, err := s.Systemd.Units(ctx, user)
	return slices.DeleteFunc(slices.Clone(units), func(name string) bool {
		return !slices.ContainsFunc(known, func(u systemd.Unit) bool { return u.Name == name })
	}), err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
