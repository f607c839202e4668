package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/trial"
	"stet/internal/vm"
)

// trialFlags are those of `stet test`.
type trialFlags struct {
	vmFlags
	all   bool
	fresh bool
}

// trialReport is what `stet test --json` prints of one machine.
type trialReport struct {
	OK      bool           `json:"ok"`
	Machine string         `json:"machine"`
	Digest  string         `json:"digest"`
	Booted  *time.Time     `json:"booted,omitempty"` // of an earlier run, where this one began
	Tests   []trial.Result `json:"tests"`
	Failure *errorReport   `json:"failure,omitempty"` // of several machines: why this one was not tested
}

// trialsReport is what it prints of several.
type trialsReport struct {
	OK       bool          `json:"ok"`
	Machines []trialReport `json:"machines"` // by name
}

func newTest(a *app) *cobra.Command {
	var flags trialFlags
	cmd := &cobra.Command{
		Use:   "test [MACHINE]...",
		Short: "Boot machines in QEMU and run their declared tests",
		Long: `Build a machine, boot it in QEMU and carry out the tests it declares. Steps run
in the guest, or with "from: host" on this host, where STET_PORT_80 is the port
of 127.0.0.1 that leads to the guest's port 80. Exit code 1 when a test fails.

The state of the machine that has booted is kept. While its system stays what it
is, the next tests begin there, with the clock set, and what they write is gone
afterwards; --fresh boots anew and forgets it.

Several machines, or with --all every one that declares tests, are tested at the
same time, as many as fit this host's memory and processors.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.test(cmd.Context(), args, flags)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&flags.all, "all", false, "test every machine that declares tests")
	cmd.Flags().BoolVar(&flags.fresh, "fresh", false, "boot anew, not from where the machine had booted before")
	return a.traced(cmd)
}

func (a *app) test(ctx context.Context, args []string, flags trialFlags) error {
	forwards, err := flags.parseForwards()
	if err != nil {
		return err
	}
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := a.load(ctx)
	if err != nil {
		return err
	}
	if err := a.checkTracked(ctx, c); err != nil {
		return err
	}
	machines, err := toTest(c, args, flags.all)
	if err != nil {
		return err
	}
	several := flags.all || len(machines) > 1
	if several {
		if err := shareable(forwards); err != nil {
			return err
		}
	}
	report, done := a.progress()
	defer done()
	t := &trials{app: a, store: s, configuration: c, flags: flags, forwards: forwards, several: several, report: report}
	results, err := t.run(ctx, machines)
	if err != nil {
		return err
	}
	done()
	if several {
		return a.printTrials(results)
	}
	return a.printTrial(results[0])
}

// toTest gives the machines to test, by name, each once.
func toTest(c *config.Configuration, args []string, all bool) ([]*machine.Machine, error) {
	if all && len(args) > 0 {
		return nil, wrongInput(fmt.Errorf("--all is all machines, and %s is named", args[0]), "leave one of them out")
	}
	if len(args) == 0 && !all {
		args = []string{""} // the only one
	}
	named := map[string]bool{}
	for _, arg := range args {
		m, err := c.Machine(arg)
		if err != nil {
			return nil, wrongInput(err, "")
		}
		if len(m.Tests) == 0 {
			return nil, wrongInput(fmt.Errorf("machine %s declares no tests", m.Name), "add some under tests")
		}
		named[m.Name] = true
	}
	var machines []*machine.Machine
	for _, name := range c.Names() {
		if m := c.Machines[name]; named[name] || all && len(m.Tests) > 0 {
			machines = append(machines, m)
		}
	}
	if len(machines) == 0 {
		return nil, wrongInput(errors.New("no machine declares tests"), "add some under tests")
	}
	return machines, nil
}

// shareable refuses a port of the host for several machines.
func shareable(forwards []vm.Forward) error {
	for _, f := range forwards {
		if f.HostPort != 0 {
			return wrongInput(fmt.Errorf("--forward %d:%d: several machines cannot have the same port of the host", f.HostPort, f.GuestPort),
				fmt.Sprintf("--forward %d takes any that is free, and STET_PORT_%d tells a test which", f.GuestPort, f.GuestPort))
		}
	}
	return nil
}

// printTrial says how the tests of the only machine went.
func (a *app) printTrial(r trialResult) error {
	if r.err != nil {
		return r.err
	}
	a.noteTrial(r)
	var err error
	if a.json {
		err = a.printJSON(r.trialReport)
	} else {
		err = trial.WriteText(a.Stdout, r.Tests)
	}
	if err == nil && !r.OK {
		return &Failure{Code: ExitFailed}
	}
	return err
}

// printTrials says how the tests of several went.
func (a *app) printTrials(results []trialResult) error {
	report := trialsReport{OK: true}
	for _, r := range results {
		report.OK = report.OK && r.OK
		if !a.json {
			fmt.Fprintf(a.Stdout, "%s: %s\n", r.Machine, map[bool]string{true: "passed", false: "FAILED"}[r.OK])
		}
		if r.err != nil {
			a.term.Title(r.Machine + " was not tested:")
			_, failure := a.tell(r.err)
			r.Failure = &failure
		}
		a.noteTrial(r)
		report.Machines = append(report.Machines, r.trialReport)
		if !a.json {
			if err := trial.WriteText(a.Stdout, r.Tests); err != nil {
				return err
			}
		}
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	}
	if !report.OK {
		return &Failure{Code: ExitFailed}
	}
	return nil
}

// noteTrial says where a machine began.
func (a *app) noteTrial(r trialResult) {
	if r.began.Lost != nil {
		a.term.Note(fmt.Sprintf("%s booted anew: the state that was kept cannot be used: %v", r.Machine, r.began.Lost))
	}
	if r.began.Unkept != nil {
		a.term.Note(fmt.Sprintf("%s: its state after the boot was not kept: %v", r.Machine, r.began.Unkept))
	}
	if r.Booted != nil {
		a.term.Note(fmt.Sprintf("%s began where it had booted at %s; --fresh boots anew", r.Machine, r.Booted.Local().Format("2006-01-02 15:04:05")))
	}
}
