package build

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/unpack"
)

// earlyBase finds out which of a machine's packages are its base before they
// are unpacked, so that it can be configured while the others are. It is no
// more than a head start: nothing is verified yet, and what cannot be read is
// left to whoever unpacks and explains it. rootfs decides again what the base
// is, of verified packages.
func earlyBase(s *store.Store, debs Debs, roots rootfs.Builder, packages []lock.Package, m *machine.Machine, epoch int64) []early {
	if len(missingOf(s, packages)) == 0 {
		return nil
	}
	plain := make([]debian.Package, len(packages))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range packages {
		group.Go(func() (err error) {
			plain[i], err = peek(s, debs, p)
			return err
		})
	}
	if group.Wait() != nil {
		return nil
	}
	members := map[lock.Key]bool{}
	for _, p := range rootfs.Base(plain) {
		members[keyOf(&p)] = true
	}
	var base []lock.Package
	for _, p := range packages {
		if members[p.Key()] {
			base = append(base, p)
		}
	}
	if len(base) == 0 {
		return nil
	}
	in := rootInput(s, base, m, epoch)
	return []early{{packages: base, configure: func(ctx context.Context) error { return roots.ConfigureBase(ctx, in) }}}
}

// peek reads the control file of a package, unpacked or not.
func peek(s *store.Store, debs Debs, p lock.Package) (debian.Package, error) {
	if _, ok := unpack.Remembered(s, p.SHA256); ok || p.Synthetic {
		loaded, err := loadOne(s, p)
		if err != nil {
			return debian.Package{}, err
		}
		return loaded.Package, nil
	}
	file, err := debs.Open(p)
	if err != nil {
		return debian.Package{}, err
	}
	defer file.Close()
	deb, err := debian.OpenDeb(file, p.Size)
	if err != nil {
		return debian.Package{}, err
	}
	control, err := deb.Control()
	if err != nil {
		return debian.Package{}, err
	}
	return control.Package()
}
