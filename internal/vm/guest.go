package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"stet/internal/vm/agent"
)

// Command is a program to run in the guest.
type Command = agent.Command

// Result is how it ended.
type Result = agent.Result

// Shell is a command line for the guest's /bin/sh.
func Shell(line string) Command { return agent.Shell(line) }

// on waits for the guest's agent and calls do with it. A request that was under
// way when the guest rebooted fails with [agent.ErrRestarted]: whether it was
// carried out, nobody knows.
func (vm *VM) on(ctx context.Context, do func(context.Context, *agent.Client) error) error {
	m, _, err := vm.hello(ctx, "")
	if err != nil {
		return err
	}
	return vm.watch(ctx, m, func(ctx context.Context) error { return do(ctx, m.agent) })
}

// startsAnewAfterPanic tells whether the kernel's command line has panic=N, so
// that a panic is followed by a reset.
func startsAnewAfterPanic(commandLine string) bool {
	for _, word := range strings.Fields(commandLine) {
		if value, found := strings.CutPrefix(word, "panic="); found && value != "0" {
			return true
		}
	}
	return false
}

// Exec runs a command as root in the guest and waits for its end; before the
// agent is there it waits for that. An exit status other than 0 is no error.
func (vm *VM) Exec(ctx context.Context, command Command) (result *Result, err error) {
	err = vm.on(ctx, func(ctx context.Context, c *agent.Client) error {
		result, err = c.Run(ctx, command)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("run a command in %s: %w", vm.config.Name, err)
	}
	return result, nil
}

// ReadFile gives the content of a file of the guest, up to 16 MiB.
func (vm *VM) ReadFile(ctx context.Context, path string) (content []byte, err error) {
	err = vm.on(ctx, func(ctx context.Context, c *agent.Client) error {
		content, err = c.ReadFile(ctx, path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read a file of %s: %w", vm.config.Name, err)
	}
	return content, nil
}

// WriteFile makes or replaces a file of the guest.
func (vm *VM) WriteFile(ctx context.Context, path string, mode uint32, content io.Reader) error {
	err := vm.on(ctx, func(ctx context.Context, c *agent.Client) error {
		return c.WriteFile(ctx, path, mode, content)
	})
	if err != nil {
		return fmt.Errorf("write a file of %s: %w", vm.config.Name, err)
	}
	return nil
}

// WaitReady waits until the guest's agent answers, which is early in the boot.
func (vm *VM) WaitReady(ctx context.Context) error {
	_, err := vm.waitHello(ctx, "")
	return err
}

func (vm *VM) waitHello(ctx context.Context, after string) (session string, err error) {
	if _, session, err = vm.hello(ctx, after); err != nil {
		return "", fmt.Errorf("wait for %s to boot: %w", vm.config.Name, err)
	}
	return session, nil
}

// Reboot asks the guest to reboot and waits for the agent of the next boot.
func (vm *VM) Reboot(ctx context.Context) error {
	before, err := vm.waitHello(ctx, "")
	if err != nil {
		return err
	}
	if err := vm.systemctl(ctx, "reboot"); err != nil {
		return fmt.Errorf("reboot %s: %w", vm.config.Name, err)
	}
	// Not simply the next machine: a guest with a kernel loaded by kexec(8)
	// boots that without a reset.
	_, err = vm.waitHello(ctx, before)
	return err
}

// systemctl asks the guest to go down. That it goes down before it has
// answered is what was asked for.
func (vm *VM) systemctl(ctx context.Context, verb string) error {
	result, err := vm.Exec(ctx, Command{Argv: []string{"systemctl", "--no-block", verb}, Timeout: time.Minute})
	switch {
	case errors.Is(err, agent.ErrRestarted), errors.Is(err, ErrOff):
		return nil
	case err != nil:
		return err
	case result.ExitStatus != 0 && result.Signal == "":
		return fmt.Errorf("systemctl %s: exit status %d: %s", verb, result.ExitStatus, strings.TrimSpace(string(result.Stderr)))
	}
	return nil
}

// Shutdown asks the guest to power off and waits until it has. When ctx ends
// before, the machine is killed and the error says so. A guest whose agent
// does not answer gets its power button pressed.
func (vm *VM) Shutdown(ctx context.Context) error {
	if _, err := vm.running(); err != nil {
		return err
	}
	off := vm.Done()
	brief, cancel := context.WithTimeout(ctx, 5*time.Second)
	_, _, err := vm.hello(brief, "")
	cancel()
	if err == nil {
		err = vm.systemctl(ctx, "poweroff")
	}
	if err != nil {
		if err := vm.execute(ctx, "system_powerdown", nil); err != nil {
			return fmt.Errorf("shut down %s: %w", vm.config.Name, err)
		}
	}
	select {
	case <-off:
		return nil
	case <-ctx.Done():
		_ = vm.Crash()
		return fmt.Errorf("shut down %s: it did not power off in time and was killed: %w", vm.config.Name, context.Cause(ctx))
	}
}

// Reset presses the reset button and waits for the agent of the next boot.
func (vm *VM) Reset(ctx context.Context) error {
	m, err := vm.running()
	if err == nil {
		err = m.execute(ctx, "system_reset", nil)
	}
	if err == nil || errors.Is(err, agent.ErrRestarted) {
		_, err = m.successor(ctx)
	}
	if err != nil {
		return fmt.Errorf("reset %s: %w", vm.config.Name, err)
	}
	return vm.WaitReady(ctx)
}

// execute runs a command of QEMU's monitor, if need be on that of the next
// boot.
func (vm *VM) execute(ctx context.Context, command string, arguments map[string]any) error {
	for {
		m, err := vm.running()
		if err == nil {
			err = m.execute(ctx, command, arguments)
		}
		if !errors.Is(err, agent.ErrRestarted) {
			return err
		}
	}
}

// execute runs a command of the monitor, or says what became of the machine:
// [agent.ErrRestarted] or [ErrOff] with a reason.
func (m *machine) execute(ctx context.Context, command string, arguments map[string]any) error {
	err := m.monitor.execute(ctx, command, arguments, nil)
	if !errors.Is(err, errMonitorClosed) {
		return err
	}
	if _, err := m.successor(ctx); err != nil {
		return err
	}
	return agent.ErrRestarted
}
