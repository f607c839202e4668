package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"stet/internal/plan"
	"stet/internal/systemd"
)

// owed is what goes on as before although a switch is done, until a unit or the
// machine starts anew.
type owed struct {
	plan.Debt
	Since time.Time `json:"since"`
	// Invocation is systemd's name for the run of a unit: another run owes nothing.
	Invocation string `json:"invocation,omitempty"`
}

// debtsFile has what switches since the start of the machine left to be done.
const debtsFile = "/run/stet/debts.json"

// owe adds what a switch left.
func (l live) owe(ctx context.Context, debts []plan.Debt, now time.Time) error {
	// Of the kernel only the last switch tells: it may want the one that runs again.
	all, err := l.owedBut(ctx, func(o owed) bool {
		return strings.HasPrefix(o.What, "kernel") || slices.ContainsFunc(debts, func(d plan.Debt) bool { return d.What == o.What && d.User == o.User })
	})
	if err != nil {
		return err
	}
	for _, d := range debts {
		o := owed{Debt: d, Since: now.UTC().Truncate(time.Second)}
		if unit, ok := d.Unit(); ok && d.User == "" {
			if o.Invocation, err = l.manager(nil).Invocation(ctx, unit); err != nil {
				return err
			}
		}
		all = append(all, o)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return l.place(debtsFile, append(text, '\n'), 0o644)
}

// debts gives what is owed still.
func (l live) debts(ctx context.Context) ([]owed, error) {
	return l.owedBut(ctx, func(owed) bool { return false })
}

// owedBut is debts without some, of which the manager is not even asked.
func (l live) owedBut(ctx context.Context, some func(owed) bool) ([]owed, error) {
	text, err := os.ReadFile(l.at(debtsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, needRoot(err)
	}
	var all []owed
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", debtsFile, err)
	}
	users, err := systemd.Users(l.at("/run"))
	if err != nil {
		return nil, err
	}
	still := all[:0]
	for _, o := range slices.DeleteFunc(all, some) {
		paid := o.User != "" && !slices.ContainsFunc(users, func(u systemd.User) bool { return u.Name == o.User })
		if unit, ok := o.Unit(); ok && o.User == "" {
			now, err := l.manager(nil).Invocation(ctx, unit)
			if err != nil {
				return nil, err
			}
			paid = now != o.Invocation
		}
		if !paid {
			still = append(still, o)
		}
	}
	return still, nil
}
