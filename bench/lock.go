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

// prepared locks the machine that most is measured with.
func (b *bench) prepared(ctx context.Context) (*lab, error) {
	return b.locked(ctx, "server190", configuration)
}

// withInitramfs locks the machine once more, with what makes Debian's initramfs.
func (b *bench) withInitramfs(ctx context.Context) (*lab, error) {
	return b.locked(ctx, "with-initramfs", strings.Replace(configuration, "packages: [", "packages: [initramfs-tools, ", 1))
}

// largeServer locks the example of about 650 packages.
func (b *bench) largeServer(ctx context.Context) (*lab, error) {
	text, err := os.ReadFile(largeConfiguration)
	if err != nil {
		return nil, err
	}
	return b.locked(ctx, "server-large", string(text))
}

const largeConfiguration = "examples/server-large/stet.yaml"

// locked makes a repository of one machine and locks it, once for each name. Its
// packages are fetched by that.
func (b *bench) locked(ctx context.Context, name, text string) (*lab, error) {
	if made, ok := b.labs[name]; ok {
		return made, nil
	}
	say("lock %s", name)
	repository, err := b.repository(name, text)
	if err != nil {
		return nil, err
	}
	l := &lab{repository: repository, store: filepath.Join(b.dir, name+".store")}
	if l.cold, _, err = b.runStet(ctx, repository, l.store, "lock"); err != nil {
		return nil, err
	}
	if err := l.read(); err != nil {
		return nil, err
	}
	b.labs[name] = l
	return l, nil
}

// changed makes another repository, with what is locked and another text, and locks
// what that has more. A store of the machine as it was has its packages then.
func (b *bench) changed(ctx context.Context, l *lab, name, text string) (*lab, error) {
	say("lock %s", name)
	repository, err := b.repository(name, text)
	if err != nil {
		return nil, err
	}
	if err := copyFile(filepath.Join(repository, lock.FileName), filepath.Join(l.repository, lock.FileName)); err != nil {
		return nil, err
	}
	more := &lab{repository: repository, store: l.store}
	if more.cold, _, err = b.runStet(ctx, repository, l.store, "lock"); err != nil {
		return nil, err
	}
	return more, more.read()
}

// read reads the lock of a repository.
func (l *lab) read() error {
	text, err := os.ReadFile(filepath.Join(l.repository, lock.FileName))
	if err != nil {
		return err
	}
	if l.lock, err = lock.Parse(text); err != nil {
		return err
	}
	for name := range l.lock.Machines {
		l.machine = name // there is one
	}
	return nil
}

func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
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
const memoryLimit = 200

// largeMemoryLimit is that for thousands of packages.
const largeMemoryLimit = 500
