package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stet/internal/disk"
	"stet/internal/lock"
	"stet/internal/vm"
)

// guestDiskSize is the size of the disk a guest sees; only what is written
// takes space.
const guestDiskSize = 8 << 30

// keptDisks is how many disks of systems stay for the next time.
const keptDisks = 3

// Guest says how QEMU runs a built system: as a machine would boot it, from a
// disk that has its store. Stet is the path of the binary the guest gets. The
// disk is made once for each system and binary.
func (b *Builder) Guest(ctx context.Context, built *System, l *lock.Lock, stet string) (vm.Config, error) {
	m := built.Manifest
	config := vm.Config{
		Name: m.Machine, Kernel: b.Store.ObjectPath(m.Kernel), Initrd: b.Store.ObjectPath(m.Initrd),
		CommandLine:  strings.TrimSpace(m.CommandLine + " console=ttyS0 stet.system=" + built.Digest),
		RunDirectory: filepath.Join(b.Store.Dir(), "tmp"),
	}
	var err error
	config.Disk, err = b.guestDisk(ctx, built, l, stet)
	return config, err
}

func (b *Builder) guestDisk(ctx context.Context, built *System, l *lock.Lock, stet string) (string, error) {
	sum, err := fileSum(os.DirFS(filepath.Dir(stet)), filepath.Base(stet))
	if err != nil {
		return "", fmt.Errorf("read stet: %w", err)
	}
	dir := filepath.Join(b.Store.Dir(), "vm")
	name := filepath.Join(dir, built.Digest[:32]+"-"+sum[:16]+".ext4")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if err := removeOldDisks(dir); err != nil {
		return "", err
	}
	tools, err := b.Tools(ctx, l)
	if err != nil {
		return "", err
	}
	return name, disk.Image{
		Store: b.Store, System: built.Digest, Manifest: built.Manifest, Stet: stet, Tools: tools,
		Provider: b.Provider, Epoch: l.Epoch, Size: guestDiskSize,
	}.Write(ctx, name)
}

// removeOldDisks makes room for one more: the disks made first go first.
func removeOldDisks(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "*.ext4"))
	if err != nil {
		return err
	}
	for len(found) >= keptDisks {
		oldest, at := 0, time.Time{}
		for i, name := range found {
			if info, err := os.Stat(name); err == nil && (at.IsZero() || info.ModTime().Before(at)) {
				oldest, at = i, info.ModTime()
			}
		}
		if err := os.Remove(found[oldest]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		found = append(found[:oldest], found[oldest+1:]...)
	}
	return nil
}
