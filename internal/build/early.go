package build

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/unpack"
)

// early is a layer that is configured as soon as its packages are unpacked.
type early struct {
	packages  []lock.Package
	below     []lock.Package // of the layer that is configured before, if any
	configure func(context.Context) (*tree.Tree, error)
	left      *tree.Tree // the root as its scripts left it
}

// same reports whether two lists have the same packages.
func same(a, b []lock.Package) bool {
	return slices.EqualFunc(a, b, func(a, b lock.Package) bool { return a.SHA256 == b.SHA256 })
}

// earlyLayers finds out which layers a machine's packages have before they are
// unpacked, so that these can be configured while the others are. It is no
// more than a head start: nothing is verified yet, and what cannot be read is
// left to whoever unpacks and explains it. rootfs decides again what the layers
// are, of verified packages.
func earlyLayers(s *store.Store, debs Debs, roots rootfs.Builder, packages []lock.Package, m *machine.Machine, epoch int64) []*early {
	if len(missingOf(s, packages)) == 0 || roots.HasPredecessor(rootInput(s, packages, m, epoch)) {
		return nil
	}
	candidates := make([]rootfs.Candidate, len(packages))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range packages {
		group.Go(func() (err error) {
			candidates[i], err = peek(s, debs, p)
			return err
		})
	}
	if group.Wait() != nil {
		return nil
	}
	var all []*early
	var inputs []rootfs.Input
	var below []lock.Package
	for _, layer := range rootfs.Layers(candidates) {
		members := map[lock.Key]bool{}
		for _, p := range layer {
			members[keyOf(&p)] = true
		}
		of := slices.DeleteFunc(slices.Clone(packages), func(p lock.Package) bool { return !members[p.Key()] })
		inputs = append(inputs, rootInput(s, of, m, epoch))
		upTo := slices.Clone(inputs)
		configure := func(ctx context.Context) (*tree.Tree, error) { return roots.ConfigureLayers(ctx, upTo) }
		all = append(all, &early{packages: of, below: below, configure: configure})
		below = of
	}
	return all
}

// peek reads the control files of a package, unpacked or not.
func peek(s *store.Store, debs Debs, p lock.Package) (rootfs.Candidate, error) {
	if _, ok := unpack.Remembered(s, p.SHA256); ok || p.Synthetic {
		loaded, err := loadOne(s, p)
		if err != nil {
			return rootfs.Candidate{}, err
		}
		return loaded.Candidate(), nil
	}
	file, err := debs.Open(p)
	if err != nil {
		return rootfs.Candidate{}, err
	}
	defer file.Close()
	deb, err := debian.OpenDeb(file, p.Size)
	if err != nil {
		return rootfs.Candidate{}, err
	}
	control, err := deb.Control()
	if err != nil {
		return rootfs.Candidate{}, err
	}
	return rootfs.CandidateOf(control)
}
