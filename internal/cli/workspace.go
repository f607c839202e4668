package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/initrd"
	"stet/internal/lock"
	"stet/internal/mirror"
	"stet/internal/namespace"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/store"
)

// machineStore is where a machine keeps its store.
const machineStore = "/stet"

// storeDir is where the store is: STET_STORE, else the machine's own, else
// one in the user's cache.
func (a *app) storeDir() (string, error) {
	if dir := a.Getenv("STET_STORE"); dir != "" {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(a.Dir, dir)
		}
		return dir, nil
	}
	if _, err := os.Stat(filepath.Join(machineStore, "format.json")); err == nil {
		return machineStore, nil
	}
	cache := a.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home := a.Getenv("HOME")
		if home == "" {
			return "", wrongInput(errors.New("no place for the store: neither STET_STORE, XDG_CACHE_HOME nor HOME is set"), "set STET_STORE")
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "stet"), nil
}

// openStore opens the store, as root over ids of its own: for an ordinary user
// the program begins again here. Even removing what a build left half-done
// takes that, because scripts gave files away.
func (a *app) openStore() (*store.Store, error) {
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	if a.Enter != nil {
		if err := a.Enter(); err != nil {
			return nil, err
		}
	}
	return store.Open(dir)
}

// readLock reads the repository's lock; nil when there is none yet.
func readLock(dir string) (*lock.Lock, error) {
	name := filepath.Join(dir, lock.FileName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	l, err := lock.Parse(text)
	if err != nil {
		return nil, wrongInput(err, "")
	}
	return l, nil
}

// needLock reads the repository's lock, which must be there.
func needLock(dir string) (*lock.Lock, error) {
	l, err := readLock(dir)
	if err == nil && l == nil {
		return nil, wrongInput(fmt.Errorf("%s has no %s", dir, lock.FileName), "`stet lock` makes it")
	}
	return l, err
}

// mirrorFlag is --mirror of the commands that use the network.
type mirrorFlag struct{ urls []string }

// client makes the client that finds mirrors and fetches from them.
func (a *app) client(s *store.Store, flag mirrorFlag, report progress.Func) (*mirror.Client, error) {
	return mirror.New(mirror.Options{
		Sources: mirror.Sources{
			Flag: flag.urls, Environment: a.Getenv("STET_MIRROR"), Host: a.Host, Snapshot: a.Snapshot,
		},
		Cache:  filepath.Join(s.Dir(), "mirror"),
		Keys:   a.Keys,
		Report: report,
	})
}

// locker makes what resolves and fetches packages for a repository.
func (a *app) locker(s *store.Store, repository string, flag mirrorFlag, report progress.Func) (*build.Locker, error) {
	client, err := a.client(s, flag, report)
	if err != nil {
		return nil, err
	}
	given, err := givenNumbers(s)
	if err != nil {
		return nil, err
	}
	return &build.Locker{
		Store: s, Mirror: client, Provider: provider(), Repository: repository, Report: report, Observe: a.observed.observer(),
		Patience: a.Patience, Now: a.Now(), Given: given,
	}, nil
}

// fetched gives the .debs that were fetched before, and those of the
// repository, and never the network.
type fetched struct{ dir, repository string }

// Open implements build.Debs.
func (f fetched) Open(p lock.Package) (*os.File, error) {
	if p.Local {
		return build.OpenLocal(f.repository, p)
	}
	return os.Open(filepath.Join(f.dir, "debs", p.SHA256+".deb"))
}

// provider is what this process can make roots by: no user namespace can mount
// an image.
func provider() rootfs.Provider {
	if namespace.Initial() {
		return rootfs.Overlay{}
	}
	return rootfs.LaidOut{}
}

// builder makes a builder that works offline.
func (a *app) builder(s *store.Store, repository string, report progress.Func) (*build.Builder, error) {
	init, err := initrd.Init()
	if err != nil {
		return nil, err
	}
	return &build.Builder{
		Store: s, Debs: fetched{filepath.Join(s.Dir(), "mirror"), repository}, Provider: provider(), Init: init, Report: report, Observe: a.observed.observer(), Patience: a.Patience,
	}, nil
}

// explain gives errors of the build the exit code and remedy people expect.
func explain(err error) error {
	stale := (*build.StaleError)(nil)
	missing := (*build.MissingError)(nil)
	local := (*build.LocalError)(nil)
	damaged := (*build.DamagedError)(nil)
	switch {
	case errors.As(err, &damaged):
		return &Failure{Code: ExitFailed, Err: errors.New(damaged.Problem()), Remedy: "`stet fetch` gets it again"}
	case errors.As(err, &local):
		return wrongInput(errors.New(local.Problem()), "`stet lock` takes it as it is now")
	case errors.As(err, &stale):
		return wrongInput(fmt.Errorf("machine %s: %s", stale.Machine, stale.Reason), "`stet lock` resolves it")
	case errors.As(err, &missing):
		return wrongInput(errors.New(missing.Problem()), "`stet fetch` gets what the lock names")
	}
	return err
}

// repositoryFS gives the repository. Nothing leads out of it: config checked,
// and os.Root makes sure.
func repositoryFS(c *config.Configuration) (fs.FS, func() error, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open repository: %w", err)
	}
	return root.FS(), root.Close, nil
}
