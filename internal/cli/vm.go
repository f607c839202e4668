package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/store"
	"stet/internal/vm"
)

// vmFlags are the flags of commands that boot a machine in QEMU.
type vmFlags struct {
	forwards []string
	memory   int
	cpus     int
}

func (f *vmFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.forwards, "forward", nil, "make a TCP port of the guest reachable at 127.0.0.1, as HOST:GUEST; may be given more than once")
	cmd.Flags().IntVar(&f.memory, "memory", 1024, "memory of the guest in MiB")
	cmd.Flags().IntVar(&f.cpus, "cpus", 2, "virtual CPUs of the guest")
}

// execReport is what `stet vm --exec --json` prints.
type execReport struct {
	Machine    string `json:"machine"`
	Digest     string `json:"digest"`
	Stdout     string `json:"stdout"`
	Stderr     string `json:"stderr"`
	ExitStatus int    `json:"exit_status"`
}

func newVM(a *app) *cobra.Command {
	var flags vmFlags
	var command string
	var display bool
	cmd := &cobra.Command{
		Use:   "vm [MACHINE]",
		Short: "Boot a machine in QEMU",
		Long: `Build a machine and boot it in QEMU, with the store, initrd and mounts of a real
machine. Without --exec there is a console with root logged in; Ctrl-] leaves
it. What the guest writes is gone afterwards.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			built, config, err := a.vmConfig(cmd.Context(), s, args, flags)
			if err != nil {
				return err
			}
			config.Display = display
			if cmd.Flags().Changed("exec") {
				return a.vmExec(cmd.Context(), built, config, command)
			}
			return a.vmConsole(cmd.Context(), config)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&command, "exec", "", "run a command as root in the guest, print its output, and exit as it did")
	cmd.Flags().BoolVar(&display, "display", false, "open a window with the guest's screen")
	return a.traced(cmd)
}

// vmConfig builds a machine and its disk, and says how QEMU runs it.
func (a *app) vmConfig(ctx context.Context, s *store.Store, args []string, flags vmFlags) (*builtMachine, vm.Config, error) {
	forwards, err := flags.parseForwards()
	if err != nil {
		return nil, vm.Config{}, err
	}
	built, err := a.build(ctx, s, args)
	if err != nil {
		return nil, vm.Config{}, err
	}
	first, err := built.first()
	if err != nil {
		return nil, vm.Config{}, err
	}
	config, err := built.builder.Guest(ctx, built.System, built.lock, first)
	if err != nil {
		return nil, vm.Config{}, explain(err)
	}
	config.Memory, config.CPUs, config.Forwards = flags.memory, flags.cpus, forwards
	config.Accelerator, err = a.accelerator(ctx, config.Kernel)
	return built, config, err
}

func (f *vmFlags) parseForwards() (forwards []vm.Forward, err error) {
	for _, text := range f.forwards {
		forward, err := vm.ParseForward(text)
		if err != nil {
			return nil, wrongInput(err, "")
		}
		forwards = append(forwards, forward)
	}
	return forwards, nil
}

// accelerator finds out how a guest can be run, and says so if that is slow.
func (a *app) accelerator(ctx context.Context, kernel string) (*vm.Accelerator, error) {
	found, err := vm.Probe(ctx, kernel, nil)
	if err == nil && !found.KVM {
		a.term.Note(found.Reason)
	}
	return &found, err
}

// vmExec runs one command in a fresh machine.
func (a *app) vmExec(ctx context.Context, built *builtMachine, config vm.Config, command string) (err error) {
	machine, err := vm.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if _, err := machine.WaitBooted(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(machine.SerialLog(), 20))
	}
	result, err := machine.Exec(ctx, vm.Shell(command))
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(execReport{built.Manifest.Machine, built.Digest, string(result.Stdout), string(result.Stderr), result.ExitStatus})
	} else {
		_, err = a.Stdout.Write(result.Stdout)
		_, errStderr := a.Stderr.Write(result.Stderr)
		err = errors.Join(err, errStderr)
	}
	if err == nil && result.ExitStatus != 0 {
		return &Failure{Code: result.ExitStatus}
	}
	return err
}

func lastLines(log []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// vmConsole connects the person with the guest's console.
func (a *app) vmConsole(ctx context.Context, config vm.Config) (err error) {
	in, ok := a.Stdin.(*os.File)
	if !ok {
		return wrongInput(errors.New("a console needs a terminal"), "--exec runs a command instead")
	}
	config.Interactive, config.Terminal = true, a.Getenv("TERM")
	machine, err := vm.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	for _, f := range config.Forwards {
		a.term.Note(fmt.Sprintf("port %d of the guest is %s", f.GuestPort, machine.ForwardedAddress(f.GuestPort)))
	}
	a.term.Note("Ctrl-] ends the machine")
	_, err = machine.Attach(ctx, in, a.Stdout)
	return err
}
