package build

import (
	"context"
	"errors"
	"strings"

	"stet/internal/graph"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/system"
	"stet/internal/tree"
)

// check lets what a machine declares be judged by the programs that will read
// it. A verdict changes no byte of the system, and one that was good is
// remembered.
func (b *Builder) check(ctx context.Context, in system.Input, composed *tree.Tree) error {
	checks := system.Checks(in.Machine)
	if len(checks) == 0 {
		return nil
	}
	root, roots := in.Rootfs.Digest(), b.roots()
	var failed []error
	for _, c := range checks {
		key := c.Key(root, composed)
		step := graph.Step{Stage: graph.Check, Name: c.Name}
		if _, ok := b.Store.Memo("check", key); ok {
			b.Observe.Reuse(step)
			continue
		}
		ended := b.Observe.Begin(step)
		b.Report.Report(progress.Event{Stage: "check", Detail: c.Name})
		err := roots.Try(ctx, composed, c.Command, in.Epoch)
		if wrong := (*rootfs.ScriptError)(nil); errors.As(err, &wrong) {
			failed = append(failed, c.Failed(in.Machine, undented(wrong.Output)))
			continue
		}
		if err != nil {
			return err
		}
		b.Store.Memoise("check", key, []byte("good\n"))
		ended(graph.Outcome{})
	}
	return errors.Join(failed...)
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
