package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/unpack"
)

// Debs is where verified .debs are.
type Debs interface {
	// Open opens the .deb of a locked package. A missing one is an error that
	// is fs.ErrNotExist.
	Open(p lock.Package) (*os.File, error)
}

// MissingError says that packages of the lock were never fetched.
type MissingError struct{ Packages []lock.Package }

// Problem says what is missing, without the remedy.
func (e *MissingError) Problem() string {
	p := e.Packages[0]
	if len(e.Packages) == 1 {
		return fmt.Sprintf("package %s %s of the lock is not here", p.Name, p.Version)
	}
	return fmt.Sprintf("%d packages of the lock are not here, the first is %s %s", len(e.Packages), p.Name, p.Version)
}

// Error implements error.
func (e *MissingError) Error() string { return e.Problem() + ": run \"stet fetch\"" }

// DamagedError says that a fetched package has other bytes than when it came.
type DamagedError struct{ Package lock.Package }

// Problem says what is damaged, without the remedy.
func (e *DamagedError) Problem() string {
	return fmt.Sprintf("the fetched package %s %s is damaged: its SHA-256 is not the one in the lock", e.Package.Name, e.Package.Version)
}

// Error implements error.
func (e *DamagedError) Error() string { return e.Problem() + ": run \"stet fetch\"" }

// parallelFrom is the size from which a package's decompression is divided.
const parallelFrom = 8 << 20

func unpackOne(s *store.Store, debs Debs, p lock.Package, cores int) error {
	file, err := debs.Open(p)
	if errors.Is(err, os.ErrNotExist) {
		return &MissingError{[]lock.Package{p}}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	// It was verified when it came; since then disks and people were at it.
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, p.Size+1)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != p.SHA256 {
		if p.Local {
			return &LocalError{Package: p}
		}
		return &DamagedError{p}
	}
	workers := 1
	if p.Size >= parallelFrom {
		workers = cores
	}
	_, err = unpack.Deb(s, file, p.Size, p.SHA256, workers)
	return err
}

// load reads unpacked packages from the store.
func load(s *store.Store, packages []lock.Package) ([]*rootfs.Package, error) {
	out := make([]*rootfs.Package, len(packages))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range packages {
		group.Go(func() (err error) {
			out[i], err = loadOne(s, p)
			return err
		})
	}
	return out, group.Wait()
}

func loadOne(s *store.Store, p lock.Package) (*rootfs.Package, error) {
	if p.Synthetic {
		stanza, err := debian.ParseStanza([]byte(initrdControl))
		if err != nil {
			return nil, err
		}
		return rootfs.Synthetic(stanza, syntheticSHA256())
	}
	unpacked, ok := unpack.Remembered(s, p.SHA256)
	if !ok {
		return nil, &MissingError{[]lock.Package{p}}
	}
	loaded, err := rootfs.Load(s, unpacked, p.SHA256)
	if err != nil {
		return nil, fmt.Errorf("load %s %s: %w", p.Name, p.Version, err)
	}
	if loaded.Name != p.Name || loaded.Version != p.Version || loaded.Architecture != p.Architecture {
		return nil, fmt.Errorf("the .deb locked as %s %s %s says of itself that it is %s %s %s: run \"stet lock\"",
			p.Name, p.Version, p.Architecture, loaded.Name, loaded.Version, loaded.Architecture)
	}
	return loaded, nil
}

// rootInput is what rootfs makes a machine's root of.
func rootInput(s *store.Store, packages []lock.Package, m *machine.Machine, epoch int64) rootfs.Input {
	in := rootfs.Input{Architecture: m.Debian.Architecture, Epoch: epoch, Answers: m.Debconf, Load: func() ([]*rootfs.Package, error) { return load(s, packages) }}
	for _, p := range packages {
		sha := p.SHA256
		if p.Synthetic {
			sha = syntheticSHA256()
		}
		in.Packages = append(in.Packages, rootfs.Ref{Name: p.Name, Version: p.Version, Architecture: p.Architecture, SHA256: sha})
	}
	return in
}
