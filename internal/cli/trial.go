package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stet/internal/progress"
	"stet/internal/trial"
	"stet/internal/vm"
)

// trialReport is what `stet test --json` prints.
type trialReport struct {
	OK      bool           `json:"ok"`
	Machine string         `json:"machine"`
	Digest  string         `json:"digest"`
	Tests   []trial.Result `json:"tests"`
}

func newTest(a *app) *cobra.Command {
	var flags vmFlags
	cmd := &cobra.Command{
		Use:   "test [MACHINE]",
		Short: "Boot a machine in QEMU and run its declared tests",
		Long: `Build a machine, boot it in QEMU and carry out the tests it declares. Steps run
in the guest, or with "from: host" on this host, where STET_PORT_80 is the port
of 127.0.0.1 that leads to the guest's port 80. Exit code 1 when a test fails.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.test(cmd.Context(), args, flags)
		},
	}
	flags.add(cmd)
	return a.traced(cmd)
}

func (a *app) test(ctx context.Context, args []string, flags vmFlags) (err error) {
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	built, config, err := a.vmConfig(ctx, s, args, flags)
	if err != nil {
		return err
	}
	declared := built.configuration.Machines[built.Manifest.Machine].Tests
	if len(declared) == 0 {
		return wrongInput(fmt.Errorf("machine %s declares no tests", built.Manifest.Machine), "add some under tests")
	}
	config.Forwards = trial.Forwards(declared, config.Forwards)
	machine, err := vm.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	report, done := a.progress()
	defer done()
	results, err := trial.Run(ctx, trial.Config{
		Machine: built.Manifest.Machine, Tests: declared, Guest: machine, Ports: forwardedPorts(machine, config.Forwards),
		Directory: built.configuration.Dir, Environment: os.Environ(),
		Starting: func(test string, step int, what string) {
			report.Report(progress.Event{Stage: "test " + test, Detail: what})
		},
	})
	if err != nil {
		return err
	}
	done()
	if a.json {
		err = a.printJSON(trialReport{trial.Passed(results), built.Manifest.Machine, built.Digest, results})
	} else {
		err = trial.WriteText(a.Stdout, results)
	}
	if err == nil && !trial.Passed(results) {
		return &Failure{Code: ExitFailed}
	}
	return err
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
