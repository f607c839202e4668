package build

import (
	"context"

	"stet/internal/lock"
	"stet/internal/rootfs"
	"stet/internal/tree"
)

// Tools gives a root with the lock's tools: unpacked and not configured,
// which is enough for programs that make images.
func (b *Builder) Tools(ctx context.Context, l *lock.Lock) (*tree.Tree, error) {
	packages := l.Select(l.Tools)
	if err := unpackAll(ctx, b.Store, b.Debs, packages, nil, b.Report, b.Observe); err != nil {
		return nil, err
	}
	loaded, err := load(b.Store, packages)
	if err != nil {
		return nil, err
	}
	return rootfs.Unpacked(loaded, l.Epoch)
}
