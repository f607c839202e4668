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
	return b.inRoot(before, func(p Provided, r room) (*tree.Tree, error) {
		if err := b.runProvided(ctx, p, r, command, epoch); err != nil {
			return nil, err
		}
		return p.Harvest(tree.Time{Sec: epoch})
	})
}

// Try is Run of a command whose verdict alone counts: what it changes is
// thrown away. A command that fails is a [ScriptError].
func (b *Builder) Try(ctx context.Context, before *tree.Tree, command string, epoch int64) error {
	_, err := b.inRoot(before, func(p Provided, r room) (*tree.Tree, error) {
		return nil, b.runProvided(ctx, p, r, command, epoch)
	})
	return err
}

func (b *Builder) runProvided(ctx context.Context, p Provided, r room, command string, epoch int64) error {
	root, err := p.Root()
	if err != nil {
		return err
	}
	return b.runInside(ctx, root, r, command, epoch, false)
}

// inRoot does something in a root of a tree. What changes is in memory; if that is more
// than there may be, it is done again with all on the disk.
func (b *Builder) inRoot(before *tree.Tree, do func(Provided, room) (*tree.Tree, error)) (*tree.Tree, error) {
	after, err := b.inRootOnce(before, true, do)
	if errors.Is(err, errMemory) {
		return b.inRootOnce(before, false, do)
	}
	return after, err
}

func (b *Builder) inRootOnce(before *tree.Tree, memory bool, do func(Provided, room) (*tree.Tree, error)) (_ *tree.Tree, err error) {
	provided, err := b.Provider.Provide(b.Store, before, memory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	r, err := provided.room()
	if err == nil {
		err = r.check(roomBefore, filesBefore)
	}
	if err != nil {
		return nil, err
	}
	return do(provided, r)
}

// runInside runs a shell command; it sees one CPU, or any.
func (b *Builder) runInside(ctx context.Context, root sandbox.Root, r room, command string, epoch int64, anyCPU bool) error {
	var output tail
	watch := b.watch(ctx, r)
	err := watch.end(sandbox.Run(watch, sandbox.Spec{
		Root: root, Argv: []string{"/bin/sh", "-c", command}, Env: environment(epoch), Stdout: &output, Stderr: &output,
		FirstPID: b.firstPID(), AllCPUs: anyCPU,
	}))
	if isOfProgram(err) {
		return &ScriptError{Step: command, Output: output.String(), Err: err}
	}
	return err
}
