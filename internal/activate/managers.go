package activate

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"stet/internal/facts"
	"stet/internal/systemd"
)

// Managers are the running managers of a machine.
type Managers struct {
	Machine facts.Machine
	System  systemd.Manager
}

// of gives the manager of a user. One that has ended has no units any more.
func (m Managers) of(user string) (systemd.Manager, bool, error) {
	if user == "" {
		return m.System, true, nil
	}
	users, err := systemd.Users(m.System.Runtime)
	if err != nil {
		return systemd.Manager{}, false, err
	}
	for _, u := range users {
		if u.Name == user {
			return systemd.Manager{User: &u, Runtime: m.System.Runtime}, true, nil
		}
	}
	return systemd.Manager{}, false, nil
}

func (m Managers) with(user string, do func(systemd.Manager) error) error {
	manager, there, err := m.of(user)
	if err != nil || !there {
		return err
	}
	return do(manager)
}

// Units implements [Systemd].
func (m Managers) Units(ctx context.Context, user string) (units []systemd.Unit, err error) {
	err = m.with(user, func(manager systemd.Manager) error {
		units, err = manager.Units(ctx)
		return err
	})
	return units, err
}

// Failed implements [Systemd].
func (m Managers) Failed(ctx context.Context, user string) (units []systemd.Unit, err error) {
	err = m.with(user, func(manager systemd.Manager) error {
		units, err = manager.Failed(ctx)
		return err
	})
	return units, err
}

// Do implements [Systemd].
func (m Managers) Do(ctx context.Context, user string, verb systemd.Verb, units []string) error {
	return m.with(user, func(manager systemd.Manager) error { return manager.Do(ctx, verb, units) })
}

// Types implements [Systemd].
func (m Managers) Types(ctx context.Context, user string, units []string) (types map[string]string, err error) {
	err = m.with(user, func(manager systemd.Manager) error {
		types, err = manager.Types(ctx, units)
		return err
	})
	return types, err
}

// ResetFailed implements [Systemd].
func (m Managers) ResetFailed(ctx context.Context, user string, units []string) error {
	return m.with(user, func(manager systemd.Manager) error { return manager.ResetFailed(ctx, units) })
}

// managerDeadline is how long a manager may take to read its units, as systemctl
// has it.
const managerDeadline = 3 * time.Minute

// Reload implements [Systemd].
func (m Managers) Reload(ctx context.Context, user string) error {
	ctx, cancel := context.WithTimeout(ctx, managerDeadline)
	defer cancel()
	return m.with(user, func(manager systemd.Manager) error { return manager.Reload(ctx) })
}

// Reexec implements [Systemd].
func (m Managers) Reexec(ctx context.Context, user string) error {
	ctx, cancel := context.WithTimeout(ctx, managerDeadline)
	defer cancel()
	return m.with(user, func(manager systemd.Manager) error { return manager.Reexec(ctx) })
}

// Processes implements [Systemd].
func (m Managers) Processes(user, unit string) ([]int, error) { return m.Machine.Processes(user, unit) }

// saidLines is how much of the journal is shown.
const saidLines = 20

// Said implements [Systemd].
func (m Managers) Said(ctx context.Context, user string, units []string, since time.Time) (said string, err error) {
	err = m.with(user, func(manager systemd.Manager) error {
		said, err = manager.Said(ctx, units, since, saidLines)
		return err
	})
	return said, err
}

// taskDeadline is how long one command of a plan may take.
const taskDeadline = 3 * time.Minute

// Task implements [Systemd].
func (m Managers) Task(ctx context.Context, argv []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("an empty command")
	}
	ctx, cancel := context.WithTimeout(ctx, taskDeadline)
	defer cancel()
	_, err := systemd.Execute(ctx, nil, argv)
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(halfDone, exit.ExitCode()) {
		return nil
	}
	return err
}

// halfDone are what a program ends with that did all it could, and says of some
// lines that they are wrong or not for this machine (sysexits.h: EX_DATAERR,
// EX_CANTCREAT). The boot, where the same commands run, takes them for success.
var halfDone = []int{65, 73}
