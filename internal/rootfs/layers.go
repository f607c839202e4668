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

// most is what a package may need beside the base to be configured ahead, and what
// must be left for the others, in KiB of Installed-Size: about what one core unpacks in
// two seconds.
const most = 64 << 10

// Layers gives parts of a set that are configured by themselves before the others, the
// lowest first. Each is closed under dependencies and has the one below.
//
// The first is the base. The second has what is worth being configured while the rest
// is still unpacked: the packages with scripts that need little, with what they need.
// Of a server of 650 packages that is a quarter of the bytes, and five sixths of the
// scripts' time.
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
	ahead, left := map[solve.Key]bool{}, int64(0)
	for p, closure := range solve.Closures(plain) {
		needs := slices.DeleteFunc(closure, isBase)
		if !scripted[solve.KeyOf(p)] || sizeOf(needs) > most {
			continue
		}
		for _, needed := range needs {
			ahead[solve.KeyOf(needed)] = true
		}
	}
	var second []debian.Package
	for _, p := range plain {
		switch key := solve.KeyOf(&p); {
		case in[key] || ahead[key]:
			second = append(second, p)
		default:
			left += p.InstalledSize
		}
	}
	if len(second) == len(base) || left < most {
		return [][]debian.Package{base}
	}
	return [][]debian.Package{base, second}
}

func sizeOf(packages []*debian.Package) (size int64) {
	for _, p := range packages {
		size += p.InstalledSize
	}
	return size
}
