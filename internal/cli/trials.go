package cli

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sync/errgroup"

	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/progress"
	"stet/internal/store"
	"stet/internal/trial"
	"stet/internal/vm"
)

// trials are the tests of some machines of one repository.
type trials struct {
	app           *app
	store         *store.Store
	configuration *config.Configuration
	flags         trialFlags
	forwards      []vm.Forward
	several       bool
	report        progress.Func
	accelerator   *vm.Accelerator // how all guests are run; nil until the first is built
}

// trialResult is how it went with one machine.
type trialResult struct {
	trialReport
	began vm.Beginning
	err   error // it was not tested
}

// run builds the machines, one after the other because a build takes all
// processors, and tests each as soon as it is built and there is room for it. What
// goes wrong with one is its result; the error says that ctx ended.
func (t *trials) run(ctx context.Context, machines []*machine.Machine) ([]trialResult, error) {
	atOnce, err := vm.AtOnce(t.flags.memory)
	if err != nil {
		return nil, err
	}
	results := make([]trialResult, len(machines))
	var running errgroup.Group
	running.SetLimit(atOnce)
	for i, m := range machines {
		results[i].Machine = m.Name
		built, err := t.build(ctx, m)
		if err != nil {
			results[i].err = err
			continue
		}
		results[i].Digest = built.Digest
		running.Go(func() error {
			results[i].err = t.test(ctx, m, built, &results[i])
			return nil
		})
	}
	_ = running.Wait() // results have the errors
	return results, context.Cause(ctx)
}

// build builds one machine, and finds out with the first how guests are run.
func (t *trials) build(ctx context.Context, m *machine.Machine) (*builtMachine, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	from := askProvenance(ctx, t.store, t.configuration, m.Name)
	defer from.forget()
	built, err := t.app.buildNoted(ctx, t.store, t.configuration, m, from)
	if err == nil && t.accelerator == nil {
		t.accelerator, err = t.app.accelerator(ctx, t.store.ObjectPath(built.Manifest.Kernel))
	}
	return built, err
}

// test runs a built machine and its tests.
func (t *trials) test(ctx context.Context, m *machine.Machine, built *builtMachine, result *trialResult) (err error) {
	t.say(m, "boot", "")
	guest, err := t.start(ctx, m, built, result)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guest.Close()) }()
	result.Tests, err = trial.Run(ctx, trial.Config{
		Machine: m.Name, Tests: m.Tests, Guest: guest, Ports: forwardedPorts(guest, trial.Forwards(m.Tests, t.forwards)),
		Directory: t.configuration.Dir, Environment: os.Environ(),
		Starting: func(test string, _ int, what string) { t.say(m, "test "+test, what) },
	})
	result.OK = err == nil && trial.Passed(result.Tests)
	return err
}

// start gives the machine as it is when it has booted.
func (t *trials) start(ctx context.Context, m *machine.Machine, built *builtMachine, result *trialResult) (*vm.VM, error) {
	first, err := built.first()
	if err != nil {
		return nil, err
	}
	dir := t.configuration.Dir
	config, booted, err := built.builder.GuestBooted(built.System, built.lock, first, rootName(dir, m.Name), dir)
	if err != nil {
		return nil, err
	}
	config.Memory, config.CPUs, config.Accelerator = t.flags.memory, t.flags.cpus, t.accelerator
	config.Forwards = trial.Forwards(m.Tests, t.forwards)
	booted.Anew = t.flags.fresh
	guest, began, err := vm.StartBooted(ctx, config, booted)
	if err != nil {
		return nil, explain(err)
	}
	if result.began = began; !began.Kept.IsZero() {
		result.Booted = &began.Kept
	}
	return guest, nil
}

// say says what is being done; of several machines, with which.
func (t *trials) say(m *machine.Machine, stage, what string) {
	if t.several {
		stage = m.Name + ": " + stage
	}
	t.report.Report(progress.Event{Stage: stage, Detail: what})
}

func forwardedPorts(machine *vm.VM, forwards []vm.Forward) map[int]int {
	ports := map[int]int{}
	for _, f := range forwards {
		if host, ok := machine.ForwardedPort(f.GuestPort); ok {
			ports[f.GuestPort] = host
		}
	}
	return ports
}
