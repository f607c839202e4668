package cli

import (
	"context"
	"fmt"
	"strings"

	"stet/internal/config"
	"stet/internal/source"
)

// checkTracked names the files that the configuration uses and git does not
// know: they count, but are in no commit that a machine could name. --committed
// refuses them, and every other difference from the commit.
func (a *app) checkTracked(ctx context.Context, c *config.Configuration) error {
	untracked, err := source.Untracked(ctx, c.Dir, c.Used())
	if err != nil {
		return err
	}
	if len(untracked) > 0 {
		const most = 5
		names := strings.Join(untracked[:min(most, len(untracked))], ", ")
		if len(untracked) > most {
			names += fmt.Sprintf(" and %d more", len(untracked)-most)
		}
		if a.committed {
			return wrongInput(fmt.Errorf("git does not know %s, which the configuration uses", names), "`git add` and commit, or leave --committed out")
		}
		a.term.Note(fmt.Sprintf("used, but not known to git: %s (`git add` takes it in)", names))
	}
	if !a.committed {
		return nil
	}
	commit, err := source.Describe(ctx, c.Dir)
	if err != nil {
		return err
	}
	if !commit.IsClean() {
		return wrongInput(fmt.Errorf("%s is not what a commit says", c.Dir), "commit the changes, or leave --committed out")
	}
	return nil
}
