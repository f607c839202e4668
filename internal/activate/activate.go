package activate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"stet/internal/fault"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/systemd"
)

// Machine is where plans are carried out.
type Machine struct {
	Root    string // "/", or a directory that has usr, etc, run and proc
	Store   string // the directory of the store
	State   string // the directory of the machine's state
	Systemd Systemd
	Now     func() time.Time

	// Healthy says what is wrong with the machine when all is done, beside
	// units that do not run; nil asks for nothing more.
	Healthy func(context.Context) error
	// Meanwhile is called when units begin to stop, and managers are yet to read theirs,
	// which takes seconds: it begins what Keep needs. nil begins nothing.
	Meanwhile func()
	// Keep makes the new system the one that starts next, once all is well. It
	// comes last: when it fails, the machine goes back. nil leaves what starts
	// next as it is.
	Keep func(context.Context) error
	// Say tells how far it is, in a few words; nil says nothing.
	Say func(string)
}

// Systemd is what a switch asks of the managers. User is the name of the user
// whose manager is meant, empty for the system's.
type Systemd interface {
	Units(ctx context.Context, user string) ([]systemd.Unit, error)
	Failed(ctx context.Context, user string) ([]systemd.Unit, error)
	Do(ctx context.Context, user string, verb systemd.Verb, units []string) error
	Types(ctx context.Context, user string, units []string) (map[string]string, error)
	ResetFailed(ctx context.Context, user string, units []string) error
	Reload(ctx context.Context, user string) error
	Reexec(ctx context.Context, user string) error
	Processes(user, unit string) ([]int, error)
	Said(ctx context.Context, user string, units []string, since time.Time) (string, error)
	Task(ctx context.Context, argv []string) error
}

// System is what of a system is mounted.
type System struct {
	Digest string            `json:"digest"`
	Trees  map[string]string `json:"trees"`  // name to the SHA-256 of the tree's text
	Images map[string]string `json:"images"` // name to the image's digest
}

// UndecidedError says that a person has to decide something first. Nothing was
// changed.
type UndecidedError struct{ Decisions []plan.Decision }

// Error implements error.
func (e *UndecidedError) Error() string {
	return fmt.Sprintf("%s %s", e.Decisions[0].What, e.Decisions[0].Why)
}

// WentBackError says that the new system was activated, at least in part, and
// that the machine went back to the old one.
type WentBackError struct {
	Err   error
	Said  string // the last lines in the journal of the units that failed
	Units []plan.UnitName

	// Left is what could not be taken back; nil when the machine is wholly as it
	// was.
	Left error
}

// Error implements error.
func (e *WentBackError) Error() string {
	if e.Left != nil {
		return fmt.Sprintf("%v; and not all could be taken back: %v", e.Err, e.Left)
	}
	return e.Err.Error()
}

// Unwrap gives the reason.
func (e *WentBackError) Unwrap() error { return e.Err }

// Outcome is what a switch that was done has to say.
type Outcome struct {
	Problems []string // sentences about what was not as it should be
	Saved    string   // where the changes of the old /etc are; empty: it was not replaced
	Regained []string // what is persisted now, and came from an earlier upper of /etc; paths, or patterns

	// Swap is how long trees of both systems were in their places: from before the
	// first is replaced until the last is.
	Swap time.Duration
}

// switching is one switch under way.
type switching struct {
	Machine
	record
	soft     bool // a soft reboot follows: only trees are replaced
	problems []string
	regained []string
	swap     time.Duration
	failed   []plan.UnitName
	before   map[plan.UnitName]bool // units that had failed already
}

// jobsDeadline is how long all jobs of one step may take together. systemd ends
// what hangs before that, unless a unit says otherwise.
const jobsDeadline = 10 * time.Minute

// Switch carries out a plan: old is what runs, next what will. With discard,
// changes of /etc that the new system makes, too, go: they are saved in the old
// upper like all others.
//
// When it fails before anything was changed, the error says why. A
// [WentBackError] says that the machine was on its way.
func (m Machine) Switch(ctx context.Context, p *plan.Plan, old, next System, discard bool) (*Outcome, error) {
	return m.change(ctx, &switching{record: record{Plan: p, Old: old, New: next}}, discard)
}

// Replace is the part of Switch that is done before a soft reboot: the trees are
// in their places, and what runs is as it was. What the soft reboot starts counts
// as the generation. Keep and Healthy have no part in it.
func (m Machine) Replace(ctx context.Context, p *plan.Plan, old, next System, discard bool, generation int) (*Outcome, error) {
	m.Keep = nil
	return m.change(ctx, &switching{record: record{Plan: p, Old: old, New: next, Generation: generation}, soft: true}, discard)
}

func (m Machine) change(ctx context.Context, s *switching, discard bool) (*Outcome, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := m.recover(ctx); err != nil {
		return nil, err
	}
	s.Machine, s.Format, s.Began = m, recordFormat, m.Now()
	if err := s.check(discard); err != nil {
		return nil, err
	}
	if s.Plan.Kind == plan.Nothing && !s.soft {
		return &Outcome{}, nil
	}
	if err := s.forward(ctx); err != nil {
		return nil, s.back(context.WithoutCancel(ctx), err)
	}
	return s.finish(ctx)
}

// Recover undoes the switch that an ended process left half-done. It reports
// whether there was one.
func (m Machine) Recover(ctx context.Context) (bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	r, err := m.readRecord()
	if err != nil || r == nil {
		return false, err
	}
	return true, m.recover(ctx)
}

func (m Machine) recover(ctx context.Context) error {
	r, err := m.readRecord()
	if err != nil || r == nil {
		return err
	}
	s := &switching{Machine: m, record: *r}
	if boot, err := m.readBoot(); err == nil && boot.System == r.New.Digest && r.Phase == checking {
		return s.clean() // it was done
	}
	m.say("take back a switch that was interrupted")
	if err := s.undo(ctx); err != nil {
		return fmt.Errorf("take back a switch that was interrupted: %w (a reboot starts the old system)", err)
	}
	return nil
}

// check refuses plans that are not for this moment.
func (s *switching) check(discard bool) error {
	boot, err := s.readBoot()
	if err != nil {
		return err
	}
	s.Boot = boot
	if boot.System != s.Plan.Old || s.Old.Digest != s.Plan.Old || s.New.Digest != s.Plan.New {
		return fmt.Errorf("the plan leads from system %.12s to %.12s, and %.12s runs: make it again", s.Plan.Old, s.Plan.New, boot.System)
	}
	undecided := &UndecidedError{}
	for _, d := range s.Plan.Decisions {
		if !discard || d.Kind != plan.DecideConflict {
			undecided.Decisions = append(undecided.Decisions, d)
		}
	}
	if len(undecided.Decisions) > 0 {
		return undecided
	}
	return s.checkMounts()
}

// forward goes all the way, step by step.
func (s *switching) forward(ctx context.Context) error {
	for _, step := range []struct {
		phase phase
		say   string
		do    func(context.Context) error
		done  fault.Point
	}{
		{staging, "mount the new trees beside the old", s.prepare, fault.TreesStaged},
		{stopping, "stop units", s.stop, fault.UnitsStopped},
		{replacing, "replace the trees", s.replace, fault.TreesReplaced},
		{telling, "tell managers", s.tell, fault.ManagersTold},
		{starting, "reload, restart and start units", s.start, fault.UnitsStarted},
		{checking, "look whether all is well", s.healthy, fault.SwitchHealthy},
	} {
		if s.soft && step.phase != staging && step.phase != replacing {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.begin(step.phase); err != nil {
			return err
		}
		s.say(step.say)
		if err := step.do(ctx); err != nil {
			return err
		}
		fault.Reach(step.done)
	}
	return nil
}

// prepare does what nobody sees: it mounts the new trees, and looks what has failed.
func (s *switching) prepare(ctx context.Context) error {
	var both errgroup.Group
	both.Go(func() error { return s.stage(ctx) })
	both.Go(func() (err error) { s.before, err = s.failedUnits(ctx); return err })
	return both.Wait()
}

// finish makes the new system the one that runs, by record, too.
func (s *switching) finish(ctx context.Context) (*Outcome, error) {
	boot := s.Boot
	boot.System, boot.Problems = s.New.Digest, s.problems
	if s.soft {
		boot.Generation = s.Generation
	}
	boot.Images = map[string]string{}
	for name, image := range s.New.Images {
		boot.Images[name] = image
	}
	if live, ok := s.live("modules"); ok && !live {
		boot.Images["modules"] = s.Boot.Images["modules"]
	}
	outcome := &Outcome{Swap: s.swap}
	if s.Upper != 0 {
		boot.Upper = s.Upper
		outcome.Saved = s.previousUpper().Upper()
	}
	err := s.writeBoot(boot)
	if err == nil && s.Keep != nil {
		err = s.Keep(ctx)
	}
	if err != nil {
		return nil, s.back(context.WithoutCancel(ctx), err)
	}
	// From here on it is done: what goes wrong now is no reason to go back.
	if err := s.regainInPlace(ctx); err != nil {
		s.problems = append(s.problems, fmt.Sprintf("what persists now was not looked for in what was let go of /etc: %v", err))
	}
	if err := s.clean(); err != nil {
		s.problems = append(s.problems, err.Error())
	}
	outcome.Problems, outcome.Regained = s.problems, s.regained
	fault.Reach(fault.SwitchDone)
	return outcome, nil
}

// back goes back, and says why.
func (s *switching) back(ctx context.Context, why error) error {
	was := s.Phase
	s.say("go back: " + why.Error())
	went := &WentBackError{Err: why, Units: s.failed}
	byUser := map[string][]string{}
	for _, u := range s.failed {
		byUser[u.User] = append(byUser[u.User], u.Name)
	}
	for user, units := range byUser {
		said, err := s.Systemd.Said(ctx, user, units, s.Began)
		if err == nil {
			went.Said += said
		}
	}
	went.Left = s.undo(ctx)
	if was <= staging && went.Left == nil {
		return why // nobody has seen anything
	}
	return went
}

// undo takes back what was done, as far as the record says. Every step can be
// repeated.
func (s *switching) undo(ctx context.Context) error {
	var left []error
	if s.Phase >= replacing {
		left = append(left, s.replaceBack(ctx), s.tellBack(ctx))
	}
	if s.Phase >= stopping {
		left = append(left, s.startBack(ctx))
	}
	if s.Phase >= checking {
		left = append(left, s.writeBoot(s.Boot))
	}
	if err := errors.Join(left...); err != nil {
		return err
	}
	return s.clean()
}

func (m Machine) say(what string) {
	if m.Say != nil {
		m.Say(what)
	}
}

// live reports whether a tree is replaced while the machine runs; and whether it
// is another at all.
func (s *switching) live(name string) (live, differs bool) {
	for _, t := range s.Plan.Trees {
		if t.Name == name {
			return t.Live, true
		}
	}
	return false, false
}

func (s *switching) replaces(name string) bool {
	live, _ := s.live(name)
	return live
}

// previousUpper is the upper of /etc before the switch.
func (s *switching) previousUpper() state.Upper { return s.upperOf(s.Boot.Upper) }
