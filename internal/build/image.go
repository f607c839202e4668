package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/disk"
	"stet/internal/generation"
	"stet/internal/graph"
	"stet/internal/lock"
)

// Image makes a bootable image of a built system's disk at path, whole or not at
// all. One that it made there of the same commit, and that nobody touched, is reused.
func (b *Builder) Image(ctx context.Context, built *System, l *lock.Lock, first First, layout disk.Layout, format disk.Format, path string) (reused bool, err error) {
	content := b.content(built, l, first, generation.Image)
	key, err := imageKey(content.Record, first, layout, format)
	if err != nil {
		return false, err
	}
	step := graph.Step{Stage: graph.Disk, Name: string(format)}
	remembered := first.Provenance.IsClean() // else it has files that only the repository knows
	if was, ok := b.Store.Memo("disk", key); remembered && ok {
		if is, err := stampOf(path); err == nil && is == string(was) {
			b.Observe.Reuse(step)
			return true, nil
		}
	}
	tools, err := b.imageTools(ctx, l)
	if err != nil {
		return false, err
	}
	ended := b.Observe.Begin(step)
	if err := disk.WriteImage(ctx, content, tools, layout, format, path); err != nil {
		return false, err
	}
	ended(graph.Outcome{Bytes: graph.Bytes(layout.Size)})
	made, err := stampOf(path)
	if err != nil || !remembered {
		return false, err
	}
	return false, b.Store.MemoiseOutside("disk", key, []byte(made))
}

// imageKey covers all that an image has.
func imageKey(record generation.Record, first First, layout disk.Layout, format disk.Format) (string, error) {
	text, err := record.Text()
	if err != nil {
		return "", err
	}
	sum, err := first.stetSum()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Appendf(text, "%s\n%+v\n%s\n", sum, layout, format))
	return hex.EncodeToString(key[:]), nil
}

// stampOf tells whether a file is another one, or was written to: where it is, and when
// that was changed last. The start of the host is part of it, since no image is waited
// for until it is on the disk: after a power cut it may have holes.
func stampOf(path string) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	var at unix.Stat_t
	if err := unix.Stat(path, &at); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return fmt.Sprintf("%s%d %d %d %d.%09d %d.%09d\n", boot, at.Dev, at.Ino, at.Size, at.Mtim.Sec, at.Mtim.Nsec, at.Ctim.Sec, at.Ctim.Nsec), nil
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
