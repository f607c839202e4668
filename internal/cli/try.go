package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/generation"
	"stet/internal/plan"
	"stet/internal/stage"
	"stet/internal/store"
)

// attempt is a system that runs until the next start, or for a while, unless
// somebody confirms it. It is written down before anything is changed, in /run: a
// start ends it.
type attempt struct {
	System string        `json:"system"`          // that is tried
	Before string        `json:"before"`          // that ran before, and is gone back to
	Until  *time.Time    `json:"until,omitempty"` // when by itself
	Kind   plan.Kind     `json:"kind"`
	Staged stage.Request `json:"staged"` // what confirming makes start next
}

const attemptFile = "/run/stet/try.json"

// revertUnit is the timer that ends an attempt, and the service that it starts.
const revertUnit = "stet-revert"

// attempt gives the attempt that is under way; nil when there is none. One whose
// system does not run any more is over.
func (i installed) attempt() (*attempt, error) {
	text, err := os.ReadFile(i.at(attemptFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, needRoot(err)
	}
	var try attempt
	if err := json.Unmarshal(text, &try); err != nil {
		return nil, fmt.Errorf("read %s: %w", attemptFile, err)
	}
	running, err := i.running()
	if err != nil || running != try.System {
		return nil, err
	}
	return &try, nil
}

// tries begins an attempt. One tried after another goes back to what ran before
// the first of them. What cancel does is for a system that could not be tried: the
// last one is tried on.
func (l live) tries(ctx context.Context, w wish, job activate.Job, now time.Time) (cancel func(context.Context) error, err error) {
	try := attempt{System: job.New.Digest, Before: job.Old.Digest, Kind: job.Plan.Kind, Staged: w.Staged}
	last, err := l.attempt()
	if err != nil {
		return nil, err
	}
	if last != nil {
		try.Before = last.Before
	}
	if w.For > 0 {
		until := now.Add(w.For).UTC()
		try.Until = &until
	}
	cancel = func(ctx context.Context) error {
		err := l.end(ctx)
		if err == nil && last != nil {
			err = l.begin(ctx, *last, now)
		}
		return err
	}
	if err := l.end(ctx); err != nil {
		return nil, err
	}
	return cancel, l.begin(ctx, try, now)
}

// begin writes an attempt down and sets its clock, which ends it also when the
// switch is killed on its way.
func (l live) begin(ctx context.Context, try attempt, now time.Time) error {
	text, err := json.Marshal(try)
	if err != nil {
		return err
	}
	if err := l.place(attemptFile, append(text, '\n'), 0o644); err != nil || try.Until == nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = l.run(ctx, nil, []string{
		"systemd-run", "--quiet", "--collect", "--no-ask-password", "--unit=" + revertUnit, "--description=Stet goes back to what ran before a try",
		fmt.Sprintf("--on-active=%d", max(1, int(try.Until.Sub(now).Seconds()))), "--timer-property=AccuracySec=1s", "--", program, "rollback", "--tried",
	})
	return err
}

// end has nothing be tried any more. A clock that was not set, or has run out, is
// no error.
func (l live) end(ctx context.Context) error {
	if err := os.Remove(l.at(attemptFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, _ = l.run(ctx, nil, []string{"systemctl", "stop", revertUnit + ".timer"})
	return nil
}

func newTry(a *app) *cobra.Command {
	var esp espFlag
	var from fromFlag
	var discard bool
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "try [MACHINE]",
		Short: "Make a system the running one until the next start",
		Long: `Do what "stet switch" does, but leave alone what starts next: a reboot, or "stet
rollback", goes back to what ran before, and with --for so does the machine itself
when the time is over. "stet confirm" keeps the system.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("for") && lasts < time.Second {
				return wrongInput(fmt.Errorf("--for %s is no time to try anything in", lasts), "give it minutes, such as --for 5m")
			}
			return a.withWanted(cmd.Context(), from, args, func(s *store.Store, r stage.Request) error {
				r.Origin = generation.Switch
				return a.switchTo(cmd.Context(), s, wish{Staged: r, Discard: discard, Try: true, For: lasts}, esp)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&discard, "discard", false, "let changes in /etc go that the system makes, too; they are saved")
	cmd.Flags().DurationVar(&lasts, "for", 0, "go back after `TIME`, such as 5m, unless it is confirmed")
	esp.add(cmd)
	return cmd
}

func newConfirm(a *app) *cobra.Command {
	var esp espFlag
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Keep the system that is tried",
		Long:  `Let the system that "stet try" made the running one start next as well.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore()
			if err != nil {
				return needRoot(err)
			}
			defer s.Close()
			l, err := a.live(s, esp)
			if err != nil {
				return err
			}
			try, err := l.attempt()
			if err != nil {
				return err
			}
			if try == nil {
				return wrongInput(errors.New("nothing is tried on this machine"), "`stet try` makes a system the running one until the next start")
			}
			what, err := a.keep(cmd.Context(), l, try.Staged, try.Kind)
			if err != nil {
				return err
			}
			if what == nil {
				_, err := l.needESP() // without one, nothing can start next
				return err
			}
			if err := l.end(cmd.Context()); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(what)
			}
			fmt.Fprintf(a.Stdout, "generation %d starts next\n", what.Generation)
			return nil
		},
	}
	esp.add(cmd)
	return cmd
}
