package systemd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Verb is what is done to units, as systemctl(1) calls it.
type Verb string

// The verbs.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Reload  Verb = "reload"
)

// methods are the manager's names for verbs.
var methods = map[Verb]string{Start: "StartUnit", Stop: "StopUnit", Restart: "RestartUnit", Reload: "ReloadUnit"}

// Do has jobs done for all units at once, in the order that the units ask for,
// and waits for every one of them. When ctx ends, only the waiting does.
func (m Manager) Do(ctx context.Context, verb Verb, units []string) error {
	if len(units) == 0 {
		return nil
	}
	return m.jobs(ctx, string(verb), units, func(of dbus.BusObject, unit string) *dbus.Call {
		return of.CallWithContext(ctx, managerInterface+"."+methods[verb], 0, unit, "replace")
	})
}

// jobs asks for one job per unit, and waits for all that there are.
func (m Manager) jobs(ctx context.Context, verb string, units []string, ask func(dbus.BusObject, string) *dbus.Call) error {
	connection, leave, err := m.connect(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, strings.Join(units, " "), err)
	}
	defer leave()
	// Whoever speaks with the manager itself is told of all that it does.
	signals := make(chan *dbus.Signal, 64)
	connection.Signal(signals)
	defer connection.RemoveSignal(signals)
	waited := map[dbus.ObjectPath]string{}
	var failed []error
	for _, u := range units {
		var job dbus.ObjectPath
		if err := ask(connection.Object(destination, managerPath), u).Store(&job); err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", verb, u, err))
		} else {
			waited[job] = u
		}
	}
	results, err := await(ctx, waited, signals)
	for _, unit := range slices.Sorted(maps.Keys(results)) {
		if result := results[unit]; result != "done" && result != "skipped" {
			failed = append(failed, fmt.Errorf("%s %s: %s", verb, unit, m.ends(ctx, unit, result)))
		}
	}
	if err != nil {
		failed = append(failed, fmt.Errorf("%s %s: %w", verb, strings.Join(slices.Sorted(maps.Values(waited)), " "), err))
	}
	return errors.Join(failed...)
}

// await waits for the ends of jobs, which are known by the units that they are of, and
// gives how each of them ended. With an error, those that did not are left in jobs.
func await(ctx context.Context, jobs map[dbus.ObjectPath]string, signals <-chan *dbus.Signal) (results map[string]string, err error) {
	results = map[string]string{}
	for len(jobs) > 0 {
		var signal *dbus.Signal
		select {
		case signal = <-signals: // which is closed when the connection ends
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return results, err
		}
		if signal == nil {
			return results, errors.New("the manager went away")
		}
		if signal.Name != managerInterface+".JobRemoved" {
			continue
		}
		var id uint32
		var job dbus.ObjectPath
		var unit, result string
		if err := dbus.Store(signal.Body, &id, &job, &unit, &result); err != nil {
			return results, fmt.Errorf("read how a job ended: %w", err)
		}
		if unit, ok := jobs[job]; ok {
			results[unit] = result
		}
		delete(jobs, job)
	}
	return results, nil
}

// ends says how a job ended that is not done, by the words of org.freedesktop.systemd1(5).
func (m Manager) ends(ctx context.Context, unit, result string) string {
	switch result {
	case "failed":
		return m.failure(ctx, unit)
	case "timeout":
		return "it took too long"
	case "canceled":
		return "another job took its place"
	case "dependency":
		return "what it needs failed"
	}
	return "it ended as " + result
}

// failures are the words for what a unit has as its Result (org.freedesktop.systemd1(5)).
var failures = map[string]string{
	"core-dump":       "its program crashed",
	"exec-condition":  "its ExecCondition= is not met",
	"exit-code":       "a program of it ended with an error",
	"oom-kill":        "the kernel killed it for want of memory",
	"protocol":        "its program ended without a word that it is ready, as its Type= has it",
	"resources":       "what it needs could not be set up: a directory, a user, a file or memory",
	"signal":          "its program was killed by a signal",
	"start-limit-hit": "it was started too often in too short a time",
	"timeout":         "it took too long",
	"watchdog":        "its program gave no sign of life",
}

// failure says why a unit failed, as far as its manager knows.
func (m Manager) failure(ctx context.Context, unit string) string {
	kind := unit[strings.LastIndexByte(unit, '.')+1:]
	if kind == "" {
		return "it failed"
	}
	in := destination + "." + strings.ToUpper(kind[:1]) + kind[1:]
	var result string
	if err := m.property(ctx, unit, in, "Result", &result); err != nil || failures[result] == "" {
		return "it failed"
	}
	var status int32
	if err := m.property(ctx, unit, in, "ExecMainStatus", &status); result == "exit-code" && err == nil && status != 0 {
		return fmt.Sprintf("its program ended with status %d", status)
	}
	return failures[result]
}
