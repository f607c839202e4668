package build

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
	"stet/internal/graph"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/system"
	"stet/internal/tree"
)

// check lets what a machine declares be judged by the programs that will read
// it. A verdict changes no byte of the system, and one that was good is
// remembered. Root is the digest of the configured root.
func (b *Builder) check(ctx context.Context, in system.Input, root string, composed *tree.Tree) error {
	checks := system.Checks(in.Machine)
	if len(checks) == 0 {
		return nil
	}
	failed := make([]error, len(checks))
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range checks {
		all.Go(func() (err error) {
			failed[i], err = b.judge(ctx, in, composed, root, c)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// judge makes one check, unless it was good before. What the check says is the verdict;
// the error, that it could not be made.
func (b *Builder) judge(ctx context.Context, in system.Input, composed *tree.Tree, root string, c system.Check) (verdict, err error) {
	key := c.Key(root, composed)
	step := graph.Step{Stage: graph.Check, Name: c.Name}
	if _, ok := b.Store.Memo("check", key); ok {
		b.Observe.Reuse(step)
		return nil, nil
	}
	ended := b.Observe.Begin(step)
	b.Report.Report(progress.Event{Stage: "check", Detail: c.Name})
	roots := b.roots()
	err = roots.Try(ctx, composed, c.Command, in.Epoch)
	if wrong := (*rootfs.ScriptError)(nil); errors.As(err, &wrong) {
		return c.Failed(in.Machine, undented(wrong.Output)), nil
	}
	if err != nil {
		return nil, err
	}
	b.Store.Memoise("check", key, []byte("good\n"))
	ended(graph.Outcome{})
	return nil, nil
}

// undented takes away the indentation by which output is shown, and what some
// programs end their lines with.
func undented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(line, "    "), "\r")
	}
	return strings.Join(lines, "\n")
}
