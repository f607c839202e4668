package activate

import (
	"context"
	"os"

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
	patterns := make([]string, len(paths))
	for i, name := range paths {
		patterns[i] = literal(name)
	}
	problems, err = m.carryFrom(from, patterns, etc)
	if err != nil {
		return problems, err
	}
	return problems, m.Systemd.Reload(ctx, "")
}
