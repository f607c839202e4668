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
	connection, err := m.connect(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, strings.Join(units, " "), err)
	}
	defer connection.Close()
	// Whoever speaks with the manager itself is told of all that it does.
	signals := make(chan *dbus.Signal, 64)
	connection.Signal(signals)
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
	return errors.Join(append(failed, await(ctx, verb, waited, signals)...)...)
}

// await waits for the ends of jobs, which are known by the units that they are of, and
// gives one error for each that is not done.
func await(ctx context.Context, verb string, jobs map[dbus.ObjectPath]string, signals <-chan *dbus.Signal) (failed []error) {
	for len(jobs) > 0 {
		signal, ok := <-signals // which is closed when the connection ends
		if !ok {
			err := ctx.Err()
			if err == nil {
				err = errors.New("the manager went away")
			}
			return append(failed, fmt.Errorf("%s %s: %w", verb, strings.Join(slices.Sorted(maps.Values(jobs)), " "), err))
		}
		if signal.Name != managerInterface+".JobRemoved" {
			continue
		}
		var id uint32
		var job dbus.ObjectPath
		var unit, result string
		if err := dbus.Store(signal.Body, &id, &job, &unit, &result); err != nil {
			return append(failed, fmt.Errorf("%s: read how a job ended: %w", verb, err))
		}
		if unit, ok := jobs[job]; ok && result != "done" && result != "skipped" {
			failed = append(failed, fmt.Errorf("%s %s: %s", verb, unit, ends(result)))
		}
		delete(jobs, job)
	}
	return failed
}

// ends says how a job ended that is not done, by the words of org.freedesktop.systemd1(5).
func ends(result string) string {
	switch result {
	case "failed":
		return "it failed"
	case "timeout":
		return "it took too long"
	case "canceled":
		return "another job took its place"
	case "dependency":
		return "what it needs failed"
	}
	return "it ended as " + result
}
