package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/gc"
	"stet/internal/store"
	"stet/internal/term"
)

// gcFlags say what may go.
type gcFlags struct {
	keep      int
	olderThan string
	free      string
	dry       bool
	damaged   bool
	esp       espFlag
}

// gcReport is what `stet gc --json` prints.
type gcReport struct {
	Done        bool           `json:"done"` // false: it was only asked for what would go
	Generations []int          `json:"generations"`
	Protected   map[int]string `json:"protected"` // generation to why it stays
	Uppers      []int          `json:"uppers"`    // of /etc
	Files       []string       `json:"files"`     // of a build host, in the store
	Systems     int            `json:"systems"`
	Images      int            `json:"images"`
	Trees       int            `json:"trees"`
	Objects     int            `json:"objects"`
	Bytes       int64          `json:"bytes"`     // that go from the store
	ESPBytes    int64          `json:"esp_bytes"` // that are free on the ESP afterwards
	Free        int64          `json:"free"`      // bytes that are free in the store afterwards
}

func newGC(a *app) *cobra.Command {
	var flags gcFlags
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Let go of what nobody needs any more",
		Long: `Remove from the store, from the ESP and from the saved changes of /etc what no
generation needs. Without a limit no generation goes. With --keep all but the
newest so many go, with --older-than those that are older (90d, 4w, 12h), with
both only those that both let go; with --free only as many, the oldest first, as
make so much room (2G).

The booted, the running, the default, the last known good and every pinned
generation stay, and so do one that a living process still uses, and what a try goes
back to. On a host that builds, --older-than also removes builds, what stages
remember, fetched packages and disks that were not used since.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := flags.policy(a.Now())
			if err != nil {
				return err
			}
			plan, err := a.collect(cmd.Context(), flags, policy)
			if err != nil {
				return needRoot(explainGC(err))
			}
			if err := a.reportGC(plan, flags.dry); err != nil {
				return err
			}
			if policy.Free > 0 && plan.Free < policy.Free {
				return &Failure{Code: ExitDiffers, Err: fmt.Errorf("%s are free, not %s: what is left is needed", term.Bytes(plan.Free), term.Bytes(policy.Free)),
					Remedy: "`stet generations` shows what is pinned, and what each keeps"}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&flags.keep, "keep", 0, "let go of all generations but the newest `N`")
	cmd.Flags().StringVar(&flags.olderThan, "older-than", "", "let go of what is older than `AGE`, such as 30d")
	cmd.Flags().StringVar(&flags.free, "free", "", "let no more generations go than it takes to have `BYTES` free, such as 2G")
	cmd.Flags().BoolVar(&flags.dry, "dry-run", false, "only say what would go")
	cmd.Flags().BoolVar(&flags.damaged, "damaged", false, "let go of generations that cannot be read, too")
	flags.esp.add(cmd)
	return cmd
}

func (f gcFlags) policy(now time.Time) (p gc.Policy, err error) {
	p = gc.Policy{Now: now, Keep: f.keep, Damaged: f.damaged}
	if f.keep < 0 {
		return p, wrongInput(fmt.Errorf("--keep %d: a number of generations is not negative", f.keep), "")
	}
	if f.olderThan != "" {
		if p.OlderThan, err = parseAge(f.olderThan); err != nil {
			return p, err
		}
	}
	if f.free != "" {
		p.Free, err = parseBytes(f.free)
	}
	return p, err
}

// parseAge reads an age: a number and h, d or w.
func parseAge(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if text != "" {
		unit, ok := units[text[len(text)-1]]
		n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
		if ok && err == nil && n > 0 {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, wrongInput(fmt.Errorf("%q is no age", text), "write 30d, 4w or 12h")
}

// parseBytes reads a number of bytes, with K, M, G or T for their powers of 1000.
func parseBytes(text string) (int64, error) {
	factor := int64(1)
	digits := strings.TrimSuffix(text, "B")
	if i := strings.IndexAny(digits, "KMGT"); i >= 0 && i == len(digits)-1 {
		for range strings.IndexByte("KMGT", digits[i]) + 1 {
			factor *= 1000
		}
		digits = digits[:i]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > 1<<62/factor {
		return 0, wrongInput(fmt.Errorf("%q is no number of bytes", text), "write 500M or 2G")
	}
	return n * factor, nil
}

// collect plans, and carries out unless it is a dry run.
func (a *app) collect(ctx context.Context, flags gcFlags, policy gc.Policy) (*gc.Plan, error) {
	i, err := a.installed(flags.esp)
	if err != nil {
		return nil, err
	}
	if a.Enter != nil {
		if err := a.Enter(); err != nil {
			return nil, err
		}
	}
	open := store.OpenAlone
	if flags.dry {
		open = store.Open // nobody has to wait for who only asks
	}
	s, err := open(i.store)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	m, unlock, err := a.collected(i, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	plan, err := m.Plan(ctx, policy)
	if err != nil || flags.dry {
		return plan, err
	}
	return plan, plan.CarryOut(m)
}

// collected gives this machine, or this build host, for collecting.
func (a *app) collected(i installed, s *store.Store) (m gc.Machine, unlock func() error, err error) {
	unlock = func() error { return nil }
	entries, err := os.ReadDir(filepath.Join(i.store, "generations"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, unlock, err
	}
	esp := ""
	if len(entries) > 0 { // else it is a host that builds
		if unlock, err = i.generations().Lock(); err != nil {
			return m, unlock, err
		}
		if esp, err = i.needESP(); err != nil && i.wasStartedFromESP() {
			return m, unlock, err
		}
	}
	if m.Machine, err = a.stage(i, s, esp); err != nil {
		return m, unlock, err
	}
	history, err := i.generations().List()
	if err != nil {
		return m, unlock, err
	}
	if m.Standing, err = i.standing(history); err != nil {
		return m, unlock, err
	}
	try, err := i.attempt()
	if err != nil {
		return m, unlock, err
	}
	if try != nil {
		for _, system := range []string{try.System, try.Before} {
			// A store that is not this machine's has neither.
			if _, err := s.System(system); !errors.Is(err, fs.ErrNotExist) {
				m.Tried = append(m.Tried, system)
			}
		}
	}
	m.Use, err = gc.Living(i.at("/proc"))
	return m, unlock, err
}

// wasStartedFromESP reports whether the machine was started from an ESP, by firmware of
// its own: then it must be there before generations that it may start go.
func (i installed) wasStartedFromESP() bool {
	if _, err := os.Stat(i.at(firmware)); errors.Is(err, fs.ErrNotExist) {
		return false // somebody gave it its kernel
	}
	booted, err := i.booted()
	return err != nil || booted != 0
}

// explainGC adds remedies.
func explainGC(err error) error {
	var busy *store.BusyError
	var unknown *gc.UnknownError
	switch {
	case errors.As(err, &busy):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "wait until no other stet runs"}
	case errors.As(err, &unknown):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "nothing was removed; `stet gc --damaged` lets go of generations whose record cannot be read"}
	}
	return err
}

func (a *app) reportGC(p *gc.Plan, dry bool) error {
	report := gcReport{
		Done: !dry, Generations: p.Generations, Protected: p.Protected, Uppers: p.Uppers,
		Systems: p.Store[store.Systems].Files, Images: p.Store[store.Images].Files, Trees: p.Store[store.Trees].Files, Objects: p.Store[store.Objects].Files,
		Bytes: p.Bytes(), ESPBytes: p.Boot.Left, Free: p.Free,
	}
	for _, aged := range p.Aged {
		report.Files = append(report.Files, aged.Path)
	}
	if a.json {
		return a.printJSON(report)
	}
	if len(p.Generations) > 0 {
		words := make([]string, len(p.Generations))
		for i, n := range p.Generations {
			words[i] = strconv.Itoa(n)
		}
		fmt.Fprintf(a.Stdout, "%s: %s\n", count(len(words), "generation"), strings.Join(words, " "))
	}
	if len(p.Uppers) > 0 {
		fmt.Fprintf(a.Stdout, "%s of /etc\n", count(len(p.Uppers), "saved upper"))
	}
	if len(p.Aged) > 0 {
		fmt.Fprintf(a.Stdout, "%s that nothing used for long\n", count(len(p.Aged), "file"))
	}
	verb := map[bool]string{false: "removed", true: "to remove"}[dry]
	fmt.Fprintf(a.Stdout, "%s: %s, %s; %s free then\n", verb, count(report.Objects, "object"), term.Bytes(report.Bytes), term.Bytes(p.Free))
	if a.verbose {
		for _, n := range p.Reasons() {
			a.term.Note(fmt.Sprintf("generation %d stays: %s", n, p.Protected[n]))
		}
	}
	return nil
}
