package rootfs

import (
	"slices"

	"stet/internal/debian"
	"stet/internal/solve"
)

// Base gives the members of a set that are configured before any script of
// the others runs: the essential and required packages, with what they depend
// on. Debian Policy 6.5 lets every preinst rely on them.
func Base(packages []debian.Package) []debian.Package {
	return solve.Closure(packages, func(p *debian.Package) bool { return p.Essential || p.Priority == "required" })
}

// A Candidate is a package as [Layers] sees it.
type Candidate struct {
	debian.Package
	Scripts bool // something runs when it is installed
}

// scripts run when a package is installed.
var scripts = []string{"preinst", "config", "postinst"}

// CandidateOf gives the candidate of a package that is not unpacked yet.
func CandidateOf(control *debian.Control) (c Candidate, err error) {
	c.Package, err = control.Package()
	c.Scripts = slices.ContainsFunc(scripts, func(name string) bool { return control.Files[name] != nil })
	return c, err
}

// Candidate gives that of a package.
func (p *Package) Candidate() Candidate {
	return Candidate{p.Package, slices.ContainsFunc(scripts, p.has)}
}

// limits are what a package may need beside the base to be configured ahead, in KiB of
// Installed-Size, for one layer after the other. The smaller the first, the sooner
// scripts have something to do; the larger the last, the less is left for one core when
// all is unpacked. Each layer costs about what a small package does.
var limits = []int64{32 << 10, 128 << 10}

// optional are packages whose programs many scripts use where there are any, without
// needing them. So they are in the first layer, whatever they need.
var optional = []string{"systemd", "udev"}

// worth is what must be left for the others, in KiB of Installed-Size: about what one
// core unpacks in two seconds.
const worth = 64 << 10

// Layers gives parts of a set that are configured by themselves before the others, the
// lowest first. Each is closed under dependencies and has the one below.
//
// The first is the base. The others have what is worth being configured while the rest
// is still unpacked: the packages with scripts that need little, with what they need.
func Layers(set []Candidate) [][]debian.Package {
	plain := make([]debian.Package, len(set))
	scripted := map[solve.Key]bool{}
	for i, c := range set {
		plain[i] = c.Package
		scripted[solve.KeyOf(&c.Package)] = c.Scripts
	}
	base := Base(plain)
	if len(base) == 0 {
		return nil
	}
	in := map[solve.Key]bool{}
	for _, p := range base {
		in[solve.KeyOf(&p)] = true
	}
	isBase := func(p *debian.Package) bool { return in[solve.KeyOf(p)] }
	// The first layer above the base that has a package, by the layers' limits.
	first := map[solve.Key]int{}
	for p, closure := range solve.Closures(plain) {
		needs := slices.DeleteFunc(closure, isBase)
		size := sizeOf(needs)
		at := slices.IndexFunc(limits, func(limit int64) bool { return size <= limit || slices.Contains(optional, p.Name) })
		if !scripted[solve.KeyOf(p)] || at < 0 {
			continue
		}
		for _, needed := range needs {
			key := solve.KeyOf(needed)
			if before, ok := first[key]; !ok || at < before {
				first[key] = at
			}
		}
	}
	layers := [][]debian.Package{base}
	for at := range limits {
		var layer []debian.Package
		left := int64(0)
		for _, p := range plain {
			key := solve.KeyOf(&p)
			if before, ok := first[key]; in[key] || ok && before <= at {
				layer = append(layer, p)
			} else {
				left += p.InstalledSize
			}
		}
		if left < worth {
			break
		}
		if len(layer) > len(layers[len(layers)-1]) {
			layers = append(layers, layer)
		}
	}
	return layers
}

func sizeOf(packages []*debian.Package) (size int64) {
	for _, p := range packages {
		size += p.InstalledSize
	}
	return size
}
