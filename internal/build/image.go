package build

import (
	"context"
	"time"

	"stet/internal/disk"
	"stet/internal/generation"
	"stet/internal/graph"
	"stet/internal/lock"
)

// Image makes a bootable image of a built system's disk at path, whole or not at
// all.
func (b *Builder) Image(ctx context.Context, built *System, l *lock.Lock, first First, layout disk.Layout, format disk.Format, path string) error {
	tools, err := b.imageTools(ctx, l)
	if err != nil {
		return err
	}
	ended := b.Observe.Begin(graph.Step{Stage: graph.Disk, Name: string(format)})
	if err := disk.WriteImage(ctx, b.content(built, l, first, generation.Image), tools, layout, format, path); err != nil {
		return err
	}
	ended(graph.Outcome{Bytes: graph.Bytes(layout.Size)})
	return nil
}

// Install writes a built system to a disk, whatever is on it. State is a directory
// with the saved state of the machine, or "".
func (b *Builder) Install(ctx context.Context, built *System, l *lock.Lock, first First, layout disk.Layout, target *disk.Target, state string, now time.Time) error {
	tools, err := b.imageTools(ctx, l)
	if err != nil {
		return err
	}
	content := b.content(built, l, first, generation.Install)
	content.Record.Date, content.State = now, state
	ended := b.Observe.Begin(graph.Step{Stage: graph.Disk})
	if err := disk.Install(ctx, content, tools, layout, target); err != nil {
		return err
	}
	ended(graph.Outcome{})
	return nil
}

// content is what the store of a new machine has. An image is dated by the lock:
// it is the same whenever it is made.
func (b *Builder) content(built *System, l *lock.Lock, first First, origin generation.Origin) disk.Content {
	return disk.Content{
		Store: b.Store, Manifest: built.Manifest, Stet: first.Stet, Repository: first.Repository, Report: b.Report,
		Record: generation.Record{
			Number: firstGeneration, System: built.Digest, Date: time.Unix(l.Epoch, 0), Origin: origin, Provenance: first.Provenance,
		},
	}
}

func (b *Builder) imageTools(ctx context.Context, l *lock.Lock) (disk.Tools, error) {
	root, err := b.Tools(ctx, l)
	return disk.Tools{Root: root, Provider: b.Provider, Epoch: l.Epoch}, err
}
