package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/activate"
	"stet/internal/generation"
	"stet/internal/plan"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/systemd"
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

	// Packages are those of -p. No configuration has them, so that there is nothing
	// to confirm.
	Packages []string `json:"packages,omitempty"`
}

// tried is what people are told of it.
func (t attempt) tried() *tried { return &tried{t.Until, t.Packages} }

// tried says when a system that is tried goes; without a time, at the next start.
type tried struct {
	Until    *time.Time `json:"until,omitempty"`
	Packages []string   `json:"packages,omitempty"` // of -p
}

// String says until when, with what, and how it is kept.
func (t tried) String() string {
	text := "until the next start: "
	if t.Until != nil {
		text = fmt.Sprintf("until %s, or the next start: ", t.Until.Local().Format(time.TimeOnly))
	}
	if len(t.Packages) > 0 {
		text = fmt.Sprintf("with %s ", strings.Join(t.Packages, ", ")) + text
	}
	return text + t.keeping()
}

// keeping says how it is kept.
func (t tried) keeping() string {
	if len(t.Packages) == 0 {
		return "`stet confirm` keeps it"
	}
	return fmt.Sprintf("`stet add %s` keeps them", strings.Join(t.Packages, " "))
}

const attemptFile = "/run/stet/try.json"

// revertUnit is the timer that ends an attempt, and the service that it starts.
const revertUnit = "stet-revert"

// clockFile is where systemd has the timer while it is set.
const clockFile = "/run/systemd/transient/" + revertUnit + ".timer"

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
	try := attempt{System: job.New.Digest, Before: job.Old.Digest, Kind: job.Plan.Kind}.wished(w, now)
	last, err := l.attempt()
	if err != nil {
		return nil, err
	}
	if last != nil {
		try.Before = last.Before
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

// triesAnew is tries of the system that is tried already: it lasts as long as this one
// is to, and is kept as this one is. One that nobody tries, and runs, stays.
func (l live) triesAnew(ctx context.Context, w wish, now time.Time) error {
	try, err := l.attempt()
	if err != nil || try == nil {
		return err
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	return l.begin(ctx, try.wished(w, now), now)
}

// wished is an attempt at what somebody wishes, from now on.
func (t attempt) wished(w wish, now time.Time) attempt {
	t.Staged, t.Packages, t.Until = w.Staged, w.Packages, nil
	if w.For > 0 {
		until := now.Add(w.For).UTC()
		t.Until = &until
	}
	return t
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
	return l.manager(nil).Launch(ctx, systemd.Service{
		Name: revertUnit + ".service", Description: "Stet goes back to what ran before a try",
		Command: []string{program, "rollback", "--tried"}, After: max(time.Second, try.Until.Sub(now)),
	})
}

// end has nothing be tried any more. A clock that was not set, or has run out, is
// no error.
func (l live) end(ctx context.Context) error {
	if err := os.Remove(l.at(attemptFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(l.at(clockFile)); err == nil {
		_ = l.manager(nil).Do(ctx, systemd.Stop, []string{revertUnit + ".timer"})
	}
	return nil
}

func newTry(a *app) *cobra.Command {
	var esp espFlag
	from := fromFlag{carry: true}
	var mirror mirrorFlag
	var packages []string
	var discard bool
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "try [MACHINE | -p PACKAGE…]",
		Short: "Make a system the running one until the next start",
		Long: `Do what "stet switch" does, but leave alone what starts next: a reboot, or "stet
rollback", goes back to what ran before, and with --for so does the machine itself
when the time is over. "stet confirm" keeps the system.

With -p it is the system of this machine's repository, as it is now, and the packages
that are named, with what they need. What is locked stays, as with "stet add"; but
neither the repository nor its lock is touched, and so there is nothing to confirm:
"stet add" keeps packages. One try at a time: another one takes its place.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("for") && lasts < time.Second {
				return wrongInput(fmt.Errorf("--for %s is no time to try anything in", lasts), "give it minutes, such as --for 5m")
			}
			w := wish{Discard: discard, Try: true, For: lasts}
			switch {
			case len(packages) > 0 && from.dir != "":
				return wrongInput(errors.New("--from brings a system, and -p makes one"), "give one of them")
			case len(packages) > 0:
				w.Packages = append(packages, args...)
				return a.tryPackages(cmd.Context(), w, mirror, esp)
			case len(mirror.urls) > 0:
				return wrongInput(errors.New("--mirror is for packages"), "name them after -p")
			case len(args) > 1:
				return wrongInput(fmt.Errorf("one machine, not %d", len(args)), "packages follow after -p")
			}
			return a.withWanted(cmd.Context(), from, args, func(s *store.Store, of wanted) error {
				w.Staged, w.whole, w.carrier = of.Request, of.whole, of.carrier
				w.Staged.Origin = generation.Switch
				return a.switchTo(cmd.Context(), s, w, esp)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().StringArrayVarP(&packages, "package", "p", nil, "a package that this machine has for so long; more may follow")
	cmd.Flags().StringArrayVar(&mirror.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
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
		Long: `Let the system that "stet try" made the running one start next as well. Packages of
"stet try -p" are in no configuration: "stet add" keeps them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openMachine()
			if err != nil {
				return err
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
			if len(try.Packages) > 0 {
				return wrongInput(fmt.Errorf("what is tried is in no configuration: %s", strings.Join(try.Packages, ", ")), try.tried().keeping())
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
