package rootfs

import (
	"context"
	"errors"

	"stet/internal/sandbox"
	"stet/internal/tree"
)

// Run runs one shell command in a root of the given tree, as maintainer
// scripts are run, and gives the tree as it is afterwards.
func (b *Builder) Run(ctx context.Context, before *tree.Tree, command string, epoch int64) (*tree.Tree, error) {
	return b.run(ctx, before, command, epoch, false)
}

// Try is Run of a command whose verdict alone counts: what it changes is
// thrown away. A command that fails is a [ScriptError].
func (b *Builder) Try(ctx context.Context, before *tree.Tree, command string, epoch int64) (err error) {
	provided, err := b.Provider.Provide(b.Store, before)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	return b.runInside(ctx, provided, command, epoch, false)
}

// run may let the command take any core: then it must not show how many it saw.
func (b *Builder) run(ctx context.Context, before *tree.Tree, command string, epoch int64, anyCPU bool) (_ *tree.Tree, err error) {
	provided, err := b.Provider.Provide(b.Store, before)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	if err := b.runInside(ctx, provided, command, epoch, anyCPU); err != nil {
		return nil, err
	}
	return provided.Harvest(tree.Time{Sec: epoch})
}

func (b *Builder) runInside(ctx context.Context, provided Provided, command string, epoch int64, anyCPU bool) error {
	root, err := provided.Root()
	if err != nil {
		return err
	}
	if err := checkRoom(provided.Scratch(), roomBefore, filesBefore); err != nil {
		return err
	}
	var output tail
	watch := b.watch(ctx, provided.Scratch())
	err = watch.end(sandbox.Run(watch, sandbox.Spec{
		Root: root, Argv: []string{"/bin/sh", "-c", command}, Env: environment(epoch), Stdout: &output, Stderr: &output,
		FirstPID: b.firstPID(), AllCPUs: anyCPU,
	}))
	if isOfProgram(err) {
		return &ScriptError{Step: command, Output: output.String(), Err: err}
	}
	return err
}
