package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/disk"
	"stet/internal/generation"
	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/vm"
)

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
// disk that has its store. The VM gives the disk back.
func (b *Builder) Guest(ctx context.Context, built *System, l *lock.Lock, first First) (vm.Config, error) {
	config := b.guest(built)
	var err error
	config.Base, err = b.guestDisk(ctx, built, l, first, "")
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

// guestDisk lays a disk out. What only it has is in a directory; see [disk.Map].
func (b *Builder) guestDisk(ctx context.Context, built *System, l *lock.Lock, first First, dir string) (vm.Base, error) {
	ended := b.Observe.Begin(graph.Step{Stage: graph.Disk})
	mapped, err := disk.Map(ctx, b.content(built, l, first, generation.Image), l.Epoch, dir)
	if err != nil {
		return nil, err
	}
	ended(graph.Outcome{Bytes: graph.Bytes(mapped.Size())})
	return mapped, nil
}
