package main

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/lock"
)

// configuration is the machine that everything is measured with.
//
//go:embed server190/stet.yaml
var configuration string

// lab is the locked repository, and a store that has its packages.
type lab struct {
	repository, store string
	machine           string
	lock              *lock.Lock
	cold              spent // what locking took with an empty store
}

// prepared locks the machine once. Its packages are fetched by that.
func (b *bench) prepared(ctx context.Context) (*lab, error) {
	if b.lab != nil {
		return b.lab, nil
	}
	made, err := b.locked(ctx, "server190", configuration)
	if err != nil {
		return nil, err
	}
	b.lab = made
	return made, nil
}

func (b *bench) locked(ctx context.Context, name, text string) (*lab, error) {
	say("lock %s", name)
	repository, err := b.repository(name, text)
	if err != nil {
		return nil, err
	}
	l := &lab{repository: repository, store: filepath.Join(b.dir, name+".store")}
	if l.cold, _, err = b.runStet(ctx, repository, l.store, "lock"); err != nil {
		return nil, err
	}
	locked, err := os.ReadFile(filepath.Join(repository, lock.FileName))
	if err != nil {
		return nil, err
	}
	if l.lock, err = lock.Parse(locked); err != nil {
		return nil, err
	}
	for name := range l.lock.Machines {
		l.machine = name // there is one
	}
	return l, nil
}

// withInitramfs locks the machine once more, with what makes Debian's initramfs.
func (b *bench) withInitramfs(ctx context.Context) (*lab, error) {
	if b.initramfs != nil {
		return b.initramfs, nil
	}
	made, err := b.locked(ctx, "with-initramfs", strings.Replace(configuration, "packages: [", "packages: [initramfs-tools, ", 1))
	if err != nil {
		return nil, err
	}
	b.initramfs = made
	return made, nil
}

// lock tells what locking with an empty store took, download included: its
// time is the network's, its memory is Stet's.
func (b *bench) lock(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	return []result{
		measured("lock, store empty, with the download", "s", []float64{l.cold.Wall}, 0),
		measured("lock, store empty: peak memory", "MB", []float64{l.cold.Memory}, memoryLimit),
	}, nil
}

// memoryLimit is the promise for Stet's own memory in MB. What is measured is
// the largest of Stet's process and all that it starts, which is no less.
const memoryLimit = 300

// largeMemoryLimit is that for thousands of packages.
const largeMemoryLimit = 500
