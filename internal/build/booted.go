package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"stet/internal/lock"
	"stet/internal/store"
	"stet/internal/vm"
)

// ownerFile says whose repository a place in [store.Booted] is for.
const ownerFile = "repository"

// GuestBooted says how QEMU runs a built system as [Builder.Guest] does, from where
// it had booted: name is the machine's in the store, and repository its directory.
// Where the system came from is not part of what is kept: it changes with every
// word of a test.
func (b *Builder) GuestBooted(built *System, l *lock.Lock, first First, name, repository string) (vm.Config, vm.Booted, error) {
	config := b.guest(built)
	sum, err := first.stetSum()
	if err != nil {
		return config, vm.Booted{}, err
	}
	dir := filepath.Join(b.Store.Dir(), store.Booted)
	place := filepath.Join(dir, name)
	if err := errors.Join(removeOrphans(dir), os.MkdirAll(place, 0o700), os.WriteFile(filepath.Join(place, ownerFile), []byte(repository), 0o600)); err != nil {
		return config, vm.Booted{}, fmt.Errorf("make room for the state of %s: %w", built.Manifest.Machine, err)
	}
	return config, vm.Booted{
		Place: vm.Place(place), System: fmt.Sprintf("%s with stet %s", built.Digest, sum),
		Base: func(ctx context.Context, dir string) (vm.Base, error) { return b.guestDisk(ctx, built, l, first, dir) },
	}, nil
}

// removeOrphans removes what is kept for repositories that are gone.
func removeOrphans(dir string) error {
	owners, err := filepath.Glob(filepath.Join(dir, "*", ownerFile))
	if err != nil {
		return err
	}
	for _, name := range owners {
		repository, err := os.ReadFile(name)
		if err != nil {
			continue // somebody else removes it
		}
		if _, err := os.Stat(string(repository)); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := vm.Place(filepath.Dir(name)).Remove(); err != nil {
			return err
		}
	}
	return nil
}
