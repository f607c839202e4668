package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stet/internal/machine"
)

// pause is the time between two attempts.
const pause = time.Second

// The names of Stet's own checks.
const (
	noFailedUnit = "no failed unit"
	network      = "network"
)

// Host is the machine that is checked.
type Host interface {
	// ActiveState gives the state of a unit, in systemd's words.
	ActiveState(ctx context.Context, unit string) (string, error)
	// FailedUnits lists the units that have failed.
	FailedUnits(ctx context.Context) ([]string, error)
	// Shell runs a command of the shell; the error says how it ended.
	Shell(ctx context.Context, command string) error
	// Dial connects to a TCP port on the loopback interface.
	Dial(ctx context.Context, port int) error
	// Connected lists the network interfaces that are up and have an address that
	// others reach.
	Connected() ([]string, error)
}

// Before is how a machine was before it was changed: what had failed may fail, and
// what was connected is to be. At a boot nothing was before.
type Before struct {
	FailedUnits []string
	Connected   []string
}

// Look gives how a machine is.
func Look(ctx context.Context, host Host) (b Before, err error) {
	if b.FailedUnits, err = host.FailedUnits(ctx); err != nil {
		return b, err
	}
	b.Connected, err = host.Connected()
	return b, err
}

// Result is what came of one check.
type Result struct {
	Name    string `json:"name"`
	What    string `json:"what"` // in one line
	Passed  bool   `json:"passed"`
	Failure string `json:"failure,omitempty"` // what was wrong at the last attempt
}

// String says it in one line.
func (r Result) String() string {
	if r.Passed {
		return r.Name + ": " + r.What
	}
	return r.Name + ": " + r.Failure
}

// check is a condition with a name.
type check struct {
	name, what string
	try        func(context.Context) error
}

// Run tries all checks at the same time until each has succeeded once, or the
// time is over. Declared ones come first, by name. The error says that ctx ended.
func Run(ctx context.Context, host Host, h machine.Health, before Before) ([]Result, error) {
	timeout := time.Duration(h.Timeout)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all := checks(host, h, before)
	results := make([]Result, len(all))
	var running sync.WaitGroup
	for i, c := range all {
		running.Go(func() { results[i] = c.run(limited, timeout) })
	}
	running.Wait()
	return results, context.Cause(ctx)
}

// Failed gives the results that are not good.
func Failed(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Passed })
}

func checks(host Host, h machine.Health, before Before) []check {
	var all []check
	for _, name := range slices.Sorted(maps.Keys(h.Checks)) {
		all = append(all, declared(host, name, h.Checks[name]))
	}
	all = append(all, check{noFailedUnit, "no unit has failed", func(ctx context.Context) error {
		failed, err := host.FailedUnits(ctx)
		if err != nil {
			return err
		}
		if failed = without(failed, before.FailedUnits); len(failed) > 0 {
			return fmt.Errorf("%s failed", strings.Join(failed, ", "))
		}
		return nil
	}})
	if len(before.Connected) == 0 {
		return all
	}
	return append(all, check{network, strings.Join(before.Connected, ", ") + " connected as before", func(context.Context) error {
		now, err := host.Connected()
		if err != nil {
			return err
		}
		if lost := without(before.Connected, now); len(lost) > 0 {
			return fmt.Errorf("%s had an address, and has none now", strings.Join(lost, ", "))
		}
		return nil
	}})
}

// without gives what is in all and not in others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(others, one) })
}

func declared(host Host, name string, c machine.Check) check {
	switch {
	case c.Unit != "":
		return check{name, c.Unit + " is active", func(ctx context.Context) error {
			state, err := host.ActiveState(ctx, c.Unit)
			if err == nil && state != "active" {
				err = fmt.Errorf("%s is %s", c.Unit, state)
			}
			return err
		}}
	case c.Port != 0:
		return check{name, fmt.Sprintf("port %d accepts", c.Port), func(ctx context.Context) error { return host.Dial(ctx, c.Port) }}
	}
	return check{name, "succeeds: " + firstLine(c.Command), func(ctx context.Context) error {
		if err := host.Shell(ctx, c.Command); err != nil {
			return fmt.Errorf("%s: %w", firstLine(c.Command), err)
		}
		return nil
	}}
}

func firstLine(text string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if rest != "" {
		return line + " …"
	}
	return line
}

// run tries until it succeeds or the time is over. What was wrong before the
// time was over says more than that it is.
func (c check) run(ctx context.Context, timeout time.Duration) Result {
	result := Result{Name: c.name, What: c.what}
	var last error
	for {
		err := c.try(ctx)
		if err == nil {
			result.Passed = true
			return result
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			last = err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			if errors.Is(last, context.DeadlineExceeded) {
				last = fmt.Errorf("%s: not in %v", c.what, timeout)
			}
			result.Failure = last.Error()
			return result
		}
	}
}
