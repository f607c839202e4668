package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stet/internal/boot"
	"stet/internal/generation"
	"stet/internal/handover"
	"stet/internal/source"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/term"
)

// stagedReport is what `stet boot --json` and `stet rollback --json` print.
type stagedReport struct {
	Machine    string            `json:"machine"`
	Generation int               `json:"generation"`
	System     string            `json:"system"`
	Origin     generation.Origin `json:"origin"`
	RollbackOf int               `json:"rollback_of,omitempty"`
	New        bool              `json:"new"`                  // false: it was there already
	Tries      int               `json:"tries"`                // 0: it is known to start
	ESPBytes   int64             `json:"esp_bytes"`            // that were written
	Repository string            `json:"repository,omitempty"` // what became of the machine's own
	Soft       bool              `json:"soft,omitempty"`       // it starts at once, by a soft reboot
}

func newBoot(a *app) *cobra.Command {
	var esp espFlag
	from := fromFlag{mend: true}
	var soft, discard bool
	cmd := &cobra.Command{
		Use:   "boot [MACHINE]",
		Short: "Let a system start next",
		Long: `Build a machine's system, or take it from the store, or with --from from a
directory that "stet send --to" wrote, and make it the generation that starts
next. What runs is not touched. A generation that was not proven to start has
three tries; then the boot loader goes back to the one before.

Everything is checked before anything is changed: whether all contents are there,
and whether the ESP and the store have room.

With --soft the machine starts it at once, without its kernel and firmware: all
programs end, and those of the new system start. It is for what "stet plan" says a
live switch leaves to a soft reboot.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if discard && !soft {
				return wrongInput(errors.New("--discard goes with --soft"), "the changes of /etc that the machine has when it is rebooted are saved anyway")
			}
			return a.withWanted(cmd.Context(), from, args, func(s *store.Store, w wanted) error {
				if soft {
					return a.softBoot(cmd.Context(), s, wish{Staged: w.Request, Discard: discard, whole: w.whole}, esp)
				}
				report, err := a.startsNext(cmd.Context(), s, w.Request, esp)
				if err != nil {
					return err
				}
				return a.reportStaged(report)
			})
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&soft, "soft", false, "start it at once, by a soft reboot")
	cmd.Flags().BoolVar(&discard, "discard", false, "with --soft: let changes in /etc go that the system makes, too; they are saved")
	esp.add(cmd)
	return cmd
}

// fromFlag is --from of the commands that take a system which was built elsewhere.
type fromFlag struct {
	dir string

	// mend takes what the store lacks of the system that runs, too. Else it is taken
	// to be whole: the kernel looks at all that is read of it.
	mend bool

	// carry begins what carries a switch out as soon as it is known that there is
	// something to carry out: before the system is taken.
	carry bool
}

func (f *fromFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "from", "", "take the system from `DIR`, which \"stet send --to\" wrote")
}

// withWanted takes a system from a directory, or builds it, and does something
// with it in the store.
func (a *app) withWanted(ctx context.Context, from fromFlag, args []string, do func(*store.Store, wanted) error) error {
	s, err := a.openMachine()
	if err != nil {
		return err
	}
	defer s.Close()
	var w wanted
	if from.dir != "" {
		from.dir = absolute(a.Dir, from.dir)
		w, err = a.takeFrom(ctx, s, from, args)
		if w.carrier != nil {
			defer w.carrier.Close()
		}
	} else {
		w.Request, err = a.buildToStage(ctx, s, args)
	}
	if err != nil {
		return err
	}
	return do(s, w)
}

// wanted is a system that somebody asked for.
type wanted struct {
	stage.Request
	whole   bool   // nobody has to look whether the store has all of it: it was just taken, or runs
	carrier *begun // where it was begun already
}

// buildToStage builds what args name. What is built is on the disk before
// anything names it.
func (a *app) buildToStage(ctx context.Context, s *store.Store, args []string) (stage.Request, error) {
	built, err := a.build(ctx, s, args)
	if err != nil {
		return stage.Request{}, err
	}
	return stage.Request{System: built.Digest, Origin: generation.Boot, Provenance: built.provenance}, s.Sync()
}

// takeFrom takes a system from a directory.
func (a *app) takeFrom(ctx context.Context, s *store.Store, from fromFlag, args []string) (w wanted, err error) {
	sent, err := store.OpenReadOnly(from.dir)
	if err != nil {
		return w, wrongInput(err, "`stet send --to` writes such a directory")
	}
	defer sent.Close()
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	offer, err := handover.ReadOffer(from.dir, name)
	if err != nil {
		return w, wrongInput(err, "`stet send --to` writes such a directory")
	}
	here, err := a.installed(espFlag{})
	if err != nil {
		return w, err
	}
	running, err := here.running()
	if err != nil {
		return w, err
	}
	whole := running // the kernel has a look at all that is read of it
	if from.mend {
		whole = ""
	}
	if from.carry && running != "" && offer.System != running {
		l, err := a.live(s, espFlag{})
		if err != nil {
			return w, err
		}
		if w.carrier, err = a.begin(ctx, l); err != nil {
			return w, err
		}
	}
	report, done := a.progress()
	defer done()
	if _, err := handover.Take(ctx, s, handover.Store{Store: sent}, offer, whole, report); err != nil {
		return w, explainHandover(err)
	}
	w.Request, w.whole = requestOf(offer), true
	return w, nil
}

// requestOf asks for what was handed over.
func requestOf(offer handover.Offer) stage.Request {
	return stage.Request{System: offer.System, Origin: generation.Boot, Provenance: offer.Provenance}
}

// startsNext stages, and brings the machine's repository to the same commit.
func (a *app) startsNext(ctx context.Context, s *store.Store, r stage.Request, flag espFlag) (*stagedReport, error) {
	i, err := a.installed(flag)
	if err != nil {
		return nil, err
	}
	p, err := a.prepare(i, s, r.System, "")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return a.startsNextPrepared(ctx, i, s, r, p)
}

// stager is the machine as somebody needs it who makes boot entries.
func (a *app) stager(i installed, s *store.Store) (stage.Machine, error) {
	esp, err := i.needESP()
	if err != nil {
		return stage.Machine{}, err
	}
	return a.stage(i, s, esp)
}

// prepare begins to look at a system that is to start next, and at the ESP. Running is
// the one that it has replaced, if that was done live.
func (a *app) prepare(i installed, s *store.Store, system, running string) (*stage.Prepared, error) {
	m, err := a.stager(i, s)
	if err != nil {
		return nil, err
	}
	p, err := m.Prepare(system, running)
	if err != nil {
		return nil, needRoot(explainStage(err))
	}
	return p, nil
}

// startsNextPrepared is startsNext of a system that was prepared.
func (a *app) startsNextPrepared(ctx context.Context, i installed, s *store.Store, r stage.Request, p *stage.Prepared) (*stagedReport, error) {
	m, err := a.stager(i, s)
	if err != nil {
		return nil, err
	}
	staged, err := m.StagePrepared(r, p)
	if err != nil {
		return nil, needRoot(explainStage(err))
	}
	machine, err := machineOf(s, staged.System)
	if err != nil {
		return nil, err
	}
	report := &stagedReport{
		Machine: machine, Generation: staged.Number, System: staged.System, Origin: staged.Origin, RollbackOf: staged.RollbackOf,
		New: staged.New, ESPBytes: staged.Bytes,
	}
	if staged.Counted {
		report.Tries = boot.Tries
	}
	report.Repository, err = a.advance(ctx, i, s, r)
	return report, err
}

// advance brings the machine's repository to the commit that was staged. It is
// the person's: what is not a plain step forward is left, and said.
func (a *app) advance(ctx context.Context, i installed, s *store.Store, r stage.Request) (string, error) {
	if r.Bundle.IsZero() || r.Origin == generation.Rollback {
		return "", nil
	}
	dir := i.repository()
	if at, err := a.repository(); err == nil && at == dir {
		return "", nil // it was built from it
	}
	how, err := source.Advance(ctx, dir, s.ObjectPath(r.Bundle), r.ID)
	if err != nil {
		a.term.Note(fmt.Sprintf("%s was not brought to the commit of the new generation: %v", dir, err))
		return "", nil
	}
	return string(how), nil
}

// explainStage gives errors of staging the remedy people expect.
func explainStage(err error) error {
	var full *boot.FullError
	var space *store.SpaceError
	var incomplete *stage.IncompleteError
	var busy *generation.BusyError
	remedy := ""
	switch {
	case errors.As(err, &full):
		remedy = "`stet gc --keep N` lets older generations go, and their kernels; nothing was changed"
	case errors.As(err, &space):
		remedy = "`stet gc` makes room; nothing was changed"
	case errors.As(err, &incomplete):
		remedy = "`stet verify` names what is damaged; build it again, or hand it over again; nothing was changed"
	case errors.As(err, &busy):
		remedy = "wait until it is done; nothing was changed"
	default:
		return err
	}
	return &Failure{Code: ExitFailed, Err: err, Remedy: remedy}
}

func (a *app) reportStaged(r *stagedReport) error {
	if a.json {
		return a.printJSON(r)
	}
	what := fmt.Sprintf("generation %d", r.Generation)
	if r.RollbackOf != 0 {
		what = fmt.Sprintf("generation %d, which is generation %d again,", r.Generation, r.RollbackOf)
	}
	tries := ""
	if r.Tries > 0 {
		tries = fmt.Sprintf("; it has %d tries", r.Tries)
	}
	when := "next"
	if r.Soft {
		when = "now, by a soft reboot"
	}
	fmt.Fprintf(a.Stdout, "%s starts %s%s (%s on the ESP)\n", what, when, tries, term.Bytes(r.ESPBytes))
	if r.Repository != "" {
		fmt.Fprintf(a.Stdout, "the machine's repository: %s\n", r.Repository)
	}
	return nil
}
