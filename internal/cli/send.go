package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"stet/internal/handover"
	"stet/internal/store"
	"stet/internal/term"
)

// sentReport is what `stet send --json` prints.
type sentReport struct {
	Machine    string `json:"machine"`
	System     string `json:"system"`
	Generation int    `json:"generation,omitempty"` // that the other end staged
	Files      int    `json:"files"`                // that were sent
	Bytes      int64  `json:"bytes"`
	Repository string `json:"repository,omitempty"` // what became of the other end's
}

func newSend(a *app) *cobra.Command {
	var to, over string
	var boot bool
	cmd := &cobra.Command{
		Use:   "send [MACHINE]",
		Short: "Hand a system over to the machine that it is for",
		Long: `Build a machine's system and hand it over: with --to into a directory, from which
"stet boot --from" takes it, or with --over to the "stet receive" that a command
starts, such as

    stet send web --over 'ssh root@web stet receive' --boot

Only what the other end lacks is sent, and all of it is checked there; what was
sent before an interruption need not be sent again. With --boot the system starts
next there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (to == "") == (over == "") {
				return wrongInput(errors.New("a system is sent to a directory, or over a command"), "give one of --to and --over")
			}
			if boot && to != "" {
				return wrongInput(errors.New("a directory starts nothing"), "`stet boot --from` does, on the machine")
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := a.buildToStage(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			o, err := handover.Make(s, r.System, r.Provenance)
			if err != nil {
				return err
			}
			o.Boot = boot
			var report sentReport
			if to != "" {
				report, err = a.sendTo(cmd.Context(), s, o, absolute(a.Dir, to))
			} else {
				report, err = a.sendOver(cmd.Context(), s, o, over)
			}
			if err != nil {
				return explainHandover(err)
			}
			report.Machine, report.System = o.Machine, o.System
			return a.reportSent(report)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "write into `DIR`")
	cmd.Flags().StringVar(&over, "over", "", "speak with the \"stet receive\" that `COMMAND` starts")
	cmd.Flags().BoolVar(&boot, "boot", false, "let the system start next on the other end")
	return cmd
}

func (a *app) sendTo(ctx context.Context, s *store.Store, o handover.Offer, dir string) (sentReport, error) {
	to, err := store.Open(dir)
	if err != nil {
		return sentReport{}, err
	}
	defer to.Close()
	report, done := a.progress()
	defer done()
	taken, err := handover.Take(ctx, to, handover.Store{Store: s}, o, "", report)
	if err != nil {
		return sentReport{}, err
	}
	return sentReport{Files: taken.Files, Bytes: taken.Bytes}, handover.WriteOffer(dir, o)
}

func (a *app) sendOver(ctx context.Context, s *store.Store, o handover.Offer, command string) (sentReport, error) {
	other := exec.CommandContext(ctx, "sh", "-c", command)
	other.Stderr = a.Stderr
	in, err := other.StdinPipe()
	if err != nil {
		return sentReport{}, err
	}
	out, err := other.StdoutPipe()
	if err != nil {
		return sentReport{}, err
	}
	if err := other.Start(); err != nil {
		return sentReport{}, err
	}
	outcome, err := handover.Serve(out, in, s, o)
	_ = in.Close()
	_, _ = io.Copy(io.Discard, out)
	if ended := other.Wait(); err != nil && ended != nil {
		var failed *handover.FailedError
		if !errors.As(err, &failed) {
			err = &Failure{Code: ExitFailed, Err: fmt.Errorf("%q ended before it took the system: %w", command, ended), Remedy: "nothing was changed there; what was sent need not be sent again"}
		}
	}
	return sentReport{Generation: outcome.Generation, Files: outcome.Files, Bytes: outcome.Bytes, Repository: outcome.Repository}, err
}

func (a *app) reportSent(r sentReport) error {
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.Stdout, "%s %.12s: %s, %s sent\n", r.Machine, r.System, count(r.Files, "file"), term.Bytes(r.Bytes))
	if r.Generation != 0 {
		fmt.Fprintf(a.Stdout, "generation %d starts next there\n", r.Generation)
	}
	return nil
}

// explainHandover gives errors of handing over the remedy people expect.
func explainHandover(err error) error {
	var failed *handover.FailedError
	var space *store.SpaceError
	switch {
	case errors.As(err, &failed):
		return &Failure{Code: ExitFailed, Err: err, Remedy: failed.Remedy}
	case errors.As(err, &space):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "`stet gc` makes room; nothing was changed"}
	}
	return err
}

func newReceive(a *app) *cobra.Command {
	var esp espFlag
	cmd := &cobra.Command{
		Use:   "receive",
		Short: "Take a system that stet send hands over",
		Long: `Speak with a "stet send --over" on standard input and output, take the system that
it hands over, and let it start next if that was asked for. Every byte is checked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.printed = true // standard output speaks with the other end
			// Before anything is read: an ordinary user's program begins again here.
			s, err := a.openStore()
			if err == nil {
				defer s.Close()
			}
			receiver, offer, errOffer := handover.Receive(a.Stdin, a.Stdout)
			if err = cmp.Or(errOffer, err); err == nil {
				var outcome handover.Outcome
				if outcome, err = a.receive(cmd.Context(), s, receiver, offer, esp); err == nil {
					return receiver.Done(outcome)
				}
			}
			err = explainHandover(err)
			remedy := ""
			if failure := (*Failure)(nil); errors.As(err, &failure) {
				remedy = failure.Remedy
			}
			_ = receiver.Fail(err, remedy) // where the sender is gone, nobody listens
			return err
		},
	}
	esp.add(cmd)
	return cmd
}

// receive takes what is offered, and keeps it from being collected.
func (a *app) receive(ctx context.Context, s *store.Store, receiver *handover.Receiver, o handover.Offer, esp espFlag) (outcome handover.Outcome, err error) {
	report, done := a.progress()
	defer done()
	taken, err := handover.Take(ctx, s, receiver, o, "", report)
	outcome.Files, outcome.Bytes = taken.Files, taken.Bytes
	if err != nil {
		return outcome, err
	}
	if !o.Boot {
		text, err := o.Text()
		if err != nil {
			return outcome, err
		}
		return outcome, s.SetRoot("received-"+filepath.Base(o.Machine), text)
	}
	staged, err := a.startsNext(ctx, s, requestOf(o), esp)
	if err != nil {
		return outcome, err
	}
	outcome.Generation, outcome.Repository = staged.Generation, staged.Repository
	return outcome, nil
}
