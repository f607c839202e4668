package activate

import (
	"context"
	"fmt"
	"os"

	"stet/internal/mount"
	"stet/internal/state"
)

// Revert puts back into /etc what an earlier upper has at the paths, and below
// them: what a switch, an undo or a start let go. Managers read their units again;
// nothing restarts. Its sentences are about what could not be put back.
func (m Machine) Revert(ctx context.Context, from state.Upper, paths []string) (problems []string, err error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := m.recover(ctx); err != nil {
		return nil, err
	}
	accounts, err := lockAccounts(ctx, m.at("etc"))
	if err != nil {
		return nil, err
	}
	defer accounts()
	etc, err := os.OpenRoot(m.at("etc"))
	if err != nil {
		return nil, err
	}
	defer etc.Close()
	policy := state.Policy{}
	for _, name := range paths {
		policy.Persist = append(policy.Persist, literal(name))
	}
	var merged *mount.Mount
	problems, err = state.Carry{
		Policy: policy, Upper: from.Upper(), Etc: etc,
		Merged: func() (string, error) {
			if from.Image == "" {
				return "", fmt.Errorf("it is not known what /etc number %d was made from", from.Number)
			}
			c := m.composefs("etc", from.Image)
			c.Upper, c.Work, c.ReadOnly = from.Upper(), from.Work(), true
			if merged, err = c.Mount(); err != nil {
				return "", err
			}
			return merged.Root(), nil
		},
	}.Run()
	if merged != nil {
		merged.Close()
	}
	if err != nil {
		return problems, err
	}
	return problems, m.Systemd.Reload(ctx, "")
}
