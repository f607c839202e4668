package vm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stet/internal/vm/agent"
)

// poll is how long a wait sleeps at least between two questions. It sleeps
// longer where questions take longer: asking must not slow down what is waited
// for, and one systemctl costs a booting, emulated guest half a second.
const poll = 200 * time.Millisecond

// pollShare bounds the time spent asking to a fifth of all, as long as no
// pause gets longer than maxPoll.
const (
	pollShare = 4
	maxPoll   = 2 * time.Second
)

// settle is how long a unit must have been active to count as such.
const settle = 500 * time.Millisecond

// ask runs a command that only asks the guest something: when a reboot takes
// the answer, the next boot is asked.
func (vm *VM) ask(ctx context.Context, argv ...string) (*Result, error) {
	for {
		result, err := vm.Exec(ctx, Command{Argv: argv})
		if !errors.Is(err, agent.ErrRestarted) {
			return result, err
		}
	}
}

// WaitBooted waits until systemd has finished its start-up, and gives its
// state: "running", or "degraded" when a unit has failed. A guest that reboots
// meanwhile is waited for again.
func (vm *VM) WaitBooted(ctx context.Context) (state string, err error) {
	for {
		asked := time.Now()
		result, err := vm.ask(ctx, "systemctl", "is-system-running", "--wait")
		if err != nil {
			return "", err
		}
		state = strings.TrimSpace(string(result.Stdout))
		switch state {
		case "running", "degraded", "maintenance":
			return state, nil
		}
		// "initializing" or "offline": systemd does not listen yet; "stopping":
		// another boot follows, or the next question finds the machine off.
		if err := pause(ctx, asked); err != nil {
			return "", fmt.Errorf("wait for %s to boot: it is still %s: %w", vm.config.Name, state, err)
		}
	}
}

// pause sleeps after a question that began at asked.
func pause(ctx context.Context, asked time.Time) error {
	return sleep(ctx, min(max(poll, pollShare*time.Since(asked)), maxPoll))
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// UnitError says that a unit will not become active by waiting.
type UnitError struct {
	Unit string
	// State is what the unit is instead: "failed", "inactive", "not-found".
	State string
	// Status is what "systemctl status" says, with the last lines of its log.
	Status string
}

func (e *UnitError) Error() string {
	return fmt.Sprintf("%s is %s\n%s", e.Unit, e.State, e.Status)
}

// WaitForUnit waits until a unit is active, with no job that would change that,
// and still the same start of it is half a second later: systemd calls a
// service of Type=simple active before it has even found its program
// (systemd.service(5)), and one that is restarted for ever active now and then.
// It gives a [*UnitError] as soon as the unit has failed, does not exist, or is
// inactive with no job that would start it.
func (vm *VM) WaitForUnit(ctx context.Context, unit string) error {
	hopeless := ""
	active := ""
	for {
		asked := time.Now()
		properties, err := vm.unitProperties(ctx, unit)
		if err != nil {
			return fmt.Errorf("wait for %s: %w", unit, err)
		}
		state, before := "", active
		active = ""
		switch {
		case properties["ActiveState"] == "active" && properties["Job"] == "":
			// Units that nobody started, such as the root's mount, have no
			// invocation, and need none to stay what they are.
			active = "active " + properties["InvocationID"]
			if active == before {
				return nil
			}
			if err := sleep(ctx, settle); err != nil {
				return fmt.Errorf("wait for %s to stay active: %w", unit, err)
			}
			continue
		case properties["ActiveState"] == "failed":
			return vm.unitError(ctx, unit, "failed")
		case properties["LoadState"] == "not-found":
			state = "not-found"
		case properties["ActiveState"] == "inactive":
			state = "inactive"
		}
		if state != "" {
			// The unit is looked at again after the jobs: the last of them may
			// have started it in between.
			if hopeless == state {
				return vm.unitError(ctx, unit, state)
			}
			if waiting, err := vm.hasJobs(ctx); err != nil {
				return fmt.Errorf("wait for %s: %w", unit, err)
			} else if !waiting {
				hopeless = state
				continue
			}
		}
		hopeless = ""
		if err := pause(ctx, asked); err != nil {
			return fmt.Errorf("wait for %s, which is %s: %w", unit, properties["ActiveState"], err)
		}
	}
}

func (vm *VM) unitProperties(ctx context.Context, unit string) (map[string]string, error) {
	result, err := vm.ask(ctx, "systemctl", "show", "--property=ActiveState,LoadState,Job,InvocationID", "--", unit)
	if err != nil {
		return nil, err
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(result.Stdout)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			properties[name] = value
		}
	}
	return properties, nil
}

// hasJobs tells whether systemd has anything left to start. While it cannot
// be asked it has.
func (vm *VM) hasJobs(ctx context.Context) (bool, error) {
	result, err := vm.ask(ctx, "systemctl", "list-jobs", "--no-legend", "--no-pager")
	if err != nil {
		return false, err
	}
	return result.ExitStatus != 0 || strings.TrimSpace(string(result.Stdout)) != "", nil
}

func (vm *VM) unitError(ctx context.Context, unit, state string) error {
	problem := &UnitError{Unit: unit, State: state}
	result, err := vm.ask(ctx, "systemctl", "status", "--no-pager", "--full", "--lines=20", "--", unit)
	if err == nil {
		problem.Status = strings.TrimSpace(string(result.Stdout) + string(result.Stderr))
	}
	return problem
}

// WaitForPort waits until something in the guest listens on a TCP port. The
// guest is asked: QEMU accepts connections of the host whether anybody in the
// guest does or not.
func (vm *VM) WaitForPort(ctx context.Context, port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("wait for port %d: a port is between 1 and 65535", port)
	}
	for {
		asked := time.Now()
		var failures []error
		for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			text, err := vm.ReadFile(ctx, table)
			if errors.Is(err, agent.ErrRestarted) {
				failures = nil // the next boot is asked
			} else if err != nil {
				failures = append(failures, err)
			} else if listens(string(text), port) {
				return nil
			}
		}
		// A kernel without IPv6 has one table only.
		if len(failures) == 2 {
			return fmt.Errorf("wait for port %d: %w", port, errors.Join(failures...))
		}
		if err := pause(ctx, asked); err != nil {
			return fmt.Errorf("wait for port %d, on which nothing listens: %w", port, err)
		}
	}
}

// listens tells whether a table of sockets, as proc_net_tcp(5) has it, lists a
// listener on port. The fields are slot, local address, remote address, state.
func listens(table string, port int) bool {
	const listening = "0A"
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != listening {
			continue
		}
		_, hex, found := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); found && err == nil && int(n) == port {
			return true
		}
	}
	return false
}
