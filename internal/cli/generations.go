package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/census"
	"stet/internal/debian"
	"stet/internal/gc"
	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/term"
	"stet/internal/verity"
)

// generationReport is one line of `stet generations`.
type generationReport struct {
	Number     int               `json:"number"`
	Date       time.Time         `json:"date"`
	Origin     generation.Origin `json:"origin"`
	RollbackOf int               `json:"rollback_of,omitempty"`
	Commit     string            `json:"commit,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Dirty      bool              `json:"dirty"`
	System     string            `json:"system"`
	Packages   int               `json:"packages"`
	Changed    int               `json:"packages_changed"` // against the one before
	Kernel     string            `json:"kernel"`
	Alone      int64             `json:"bytes_alone"`  // that nobody else needs
	Shared     int64             `json:"bytes_shared"` // that others need too
	States     []string          `json:"states"`
	Failed     string            `json:"failed,omitempty"` // why
	Problem    string            `json:"problem,omitempty"`
}

// generationsReport is what `stet generations --json` prints.
type generationsReport struct {
	Generations []generationReport `json:"generations"`
	Damaged     []damagedReport    `json:"damaged,omitempty"`
}

type damagedReport struct {
	Number  int    `json:"number"`
	Problem string `json:"problem"`
}

func newGenerations(a *app) *cobra.Command {
	var esp espFlag
	cmd := &cobra.Command{
		Use:   "generations",
		Short: "List the generations of this machine",
		Long: `List the systems that are installed on this machine: when and from which commit
each was made, how many packages changed against the one before, its kernel, how
many bytes only it needs and how many it shares, and what it is: booted, running,
default (starts next), good (came up), failed, pinned.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := a.installed(esp)
			if err != nil {
				return err
			}
			s, err := a.openMachine()
			if err != nil {
				return err
			}
			defer s.Close()
			report, err := i.list(cmd.Context(), s)
			if err != nil {
				return needRoot(err)
			}
			if a.json {
				return a.printJSON(report)
			}
			return a.printGenerations(report)
		},
	}
	esp.add(cmd)
	return cmd
}

// list gathers what is told of each generation.
func (i installed) list(ctx context.Context, s *store.Store) (*generationsReport, error) {
	history, err := i.generations().List()
	if err != nil {
		return nil, err
	}
	standing, err := i.standing(history)
	if err != nil {
		return nil, err
	}
	claims := make([]census.Claim, len(history.Generations))
	for n, g := range history.Generations {
		claims[n] = gc.Claim(g)
	}
	counted, err := census.Take(ctx, s, claims)
	if err != nil {
		return nil, err
	}
	report := &generationsReport{Generations: []generationReport{}}
	packages := packageLists{store: s, known: map[verity.Digest]packageList{}}
	var before packageList
	for n, g := range history.Generations {
		line := generationReport{
			Number: g.Number, Date: g.Date, Origin: g.Origin, RollbackOf: g.RollbackOf, Commit: g.ID, Subject: g.Subject, Dirty: g.Dirty,
			System: g.System, States: g.States(standing), Failed: g.Failed,
		}
		line.Alone, line.Shared = counted.Sizes(n)
		if err := counted.Errs[n]; err != nil {
			line.Problem = err.Error()
		} else {
			var now packageList
			line.Kernel, now, err = packages.of(counted, g.System)
			if err != nil {
				line.Problem = err.Error()
			}
			line.Packages = len(now)
			if n > 0 {
				line.Changed = now.changed(before)
			}
			before = now
		}
		report.Generations = append(report.Generations, line)
	}
	for _, d := range history.Damaged {
		report.Damaged = append(report.Damaged, damagedReport{d.Number, d.Err.Error()})
	}
	return report, nil
}

// packageList has the version of each package, by name and architecture.
type packageList map[string]string

// changed is how many packages came, went, or have another version.
func (l packageList) changed(before packageList) int {
	n := 0
	for name, version := range l {
		if before[name] != version {
			n++
		}
	}
	for name := range before {
		if _, still := l[name]; !still {
			n++
		}
	}
	return n
}

// packageLists reads dpkg's lists of systems, each once.
type packageLists struct {
	store *store.Store
	known map[verity.Digest]packageList
}

// of gives the kernel and the packages of a system.
func (l *packageLists) of(counted *census.Census, digest string) (kernel string, list packageList, err error) {
	text, err := l.store.System(digest)
	if err != nil {
		return "", nil, err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return "", nil, err
	}
	status := counted.Status(m)
	if list, known := l.known[status]; known || status.IsZero() {
		return m.KernelVersion, list, nil
	}
	file, err := l.store.OpenObject(status)
	if err != nil {
		return m.KernelVersion, nil, err
	}
	defer file.Close()
	list = packageList{}
	for scanner := debian.NewScanner(file); ; {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m.KernelVersion, nil, fmt.Errorf("read the packages of system %.12s: %w", digest, err)
		}
		list[stanza.Get("Package")+":"+stanza.Get("Architecture")] = stanza.Get("Version")
	}
	l.known[status] = list
	return m.KernelVersion, list, nil
}

func (a *app) printGenerations(report *generationsReport) error {
	rows := [][]string{{"number", "date", "commit", "subject", "packages", "kernel", "alone", "shared", "state"}}
	for _, g := range report.Generations {
		commit := g.Commit[:min(len(g.Commit), 10)]
		if g.Dirty {
			commit += "+"
		}
		changed := "-"
		if g.Changed > 0 {
			changed = count(g.Changed, "change")
		}
		subject := g.Subject
		if g.RollbackOf != 0 {
			subject = fmt.Sprintf("back to %d: %s", g.RollbackOf, subject)
		}
		rows = append(rows, []string{
			fmt.Sprint(g.Number), g.Date.Local().Format("2006-01-02 15:04"), commit, shortened(subject, 40), changed, g.Kernel,
			term.Bytes(g.Alone), term.Bytes(g.Shared), strings.Join(g.States, ", "),
		})
	}
	if len(report.Generations) > 0 {
		term.Table(a.Stdout, rows)
	} else {
		a.term.Note("this machine has no generations")
	}
	for _, g := range report.Generations {
		if g.Failed != "" {
			a.term.Note(fmt.Sprintf("generation %d failed: %s", g.Number, g.Failed))
		}
		if g.Problem != "" {
			a.term.Note(fmt.Sprintf("generation %d: %s", g.Number, g.Problem))
		}
	}
	for _, d := range report.Damaged {
		a.term.Note(fmt.Sprintf("generation %d is damaged: %s", d.Number, d.Problem))
	}
	return nil
}

// shortened cuts a text that is too long for a column.
func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
