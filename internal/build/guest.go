package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/disk"
	"stet/internal/generation"
	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/vm"
)

// guestDiskSize is the size of the disk a guest sees; only what is written
// takes space.
const guestDiskSize = 8 << 30

// keptDisks is how many disks of systems stay for the next time.
const keptDisks = 3

// First is what the first generation of a machine has beside its system.
type First struct {
	Stet       string                                      // path of the binary that the machine gets
	Provenance generation.Provenance                       // where the system came from
	Repository func(ctx context.Context, dir string) error // writes the repository; nil when there is none
}

// stetSum is the digest of the binary that the machine gets.
func (f First) stetSum() (string, error) {
	sum, err := fileSum(os.DirFS(filepath.Dir(f.Stet)), filepath.Base(f.Stet))
	if err != nil {
		return "", fmt.Errorf("read stet: %w", err)
	}
	return sum, nil
}

// firstGeneration is the number of the first generation.
const firstGeneration = 1

// Guest says how QEMU runs a built system: as a machine would boot it, from a
// disk that has its store. The disk is made once for all that it has.
func (b *Builder) Guest(ctx context.Context, built *System, l *lock.Lock, first First) (vm.Config, error) {
	config := b.guest(built)
	var err error
	config.Disk, err = b.guestDisk(ctx, built, l, first)
	return config, err
}

// guest is Guest without the disk.
func (b *Builder) guest(built *System) vm.Config {
	m := built.Manifest
	return vm.Config{
		Name: m.Machine, Kernel: b.Store.ObjectPath(m.Kernel), Initrd: b.Store.ObjectPath(m.Initrd),
		CommandLine:  strings.TrimSpace(fmt.Sprintf("%s console=ttyS0 stet.system=%s stet.generation=%d", m.CommandLine, built.Digest, firstGeneration)),
		RunDirectory: filepath.Join(b.Store.Dir(), "tmp"),
	}
}

func (b *Builder) guestDisk(ctx context.Context, built *System, l *lock.Lock, first First) (string, error) {
	content := b.content(built, l, first, generation.Image)
	record, err := content.Record.Text()
	if err != nil {
		return "", err
	}
	sum, err := first.stetSum()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Appendf(record, "%s", sum))
	dir := filepath.Join(b.Store.Dir(), "vm")
	name := filepath.Join(dir, built.Digest[:32]+"-"+hex.EncodeToString(key[:8])+".ext4")
	step := graph.Step{Stage: graph.Disk}
	if _, err := os.Stat(name); err == nil {
		b.Observe.Reuse(step)
		return name, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := removeOldDisks(dir); err != nil {
		return "", err
	}
	tools, err := b.imageTools(ctx, l)
	if err != nil {
		return "", err
	}
	ended := b.Observe.Begin(step)
	if err := disk.WriteStore(ctx, content, tools, guestDiskSize, name); err != nil {
		return "", err
	}
	ended(graph.Outcome{Bytes: graph.Bytes(guestDiskSize)})
	return name, nil
}

// removeOldDisks makes room for one more: the disks made first go first, but for
// those that a VM holds.
func removeOldDisks(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "*.ext4"))
	if err != nil {
		return err
	}
	made := map[string]time.Time{}
	for _, name := range found {
		if info, err := os.Stat(name); err == nil {
			made[name] = info.ModTime()
		}
	}
	slices.SortFunc(found, func(a, b string) int { return made[a].Compare(made[b]) })
	for _, name := range found[:max(0, len(found)-keptDisks+1)] {
		if err := removeUnheld(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func removeUnheld(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil
	}
	return os.Remove(name)
}
