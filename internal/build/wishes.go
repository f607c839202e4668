package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/solve"
)

// wishes is what a machine asks of the solver. Its digest stands in the lock,
// so that a lock that answers another question is noticed; it does not cover
// the words that say why.
type wishes struct {
	Suite        string
	Components   []string
	Architecture string
	Base         string
	Packages     map[string]wish

	// What is not said is not in the digest either, so that locks made before
	// there was a switch still answer.
	Foreign    []string          `json:",omitempty"`
	Recommends bool              `json:",omitempty"`
	Exclude    []string          `json:",omitempty"`
	excludedBy map[string]string // the words to Exclude
}

type wish struct {
	Suite      string
	Recommends *bool  `json:",omitempty"`
	Because    string `json:"-"`
}

func wishesOf(m *machine.Machine) wishes {
	w := wishes{
		Suite: m.Debian.Suite, Components: m.Debian.Components, Architecture: m.Debian.Architecture,
		Base: m.Base, Packages: map[string]wish{},
		Foreign: m.Debian.ForeignArchitectures, Recommends: m.Debian.Recommends,
		Exclude: slices.Sorted(maps.Keys(m.Exclude)), excludedBy: m.Exclude,
	}
	for name, p := range m.Packages {
		w.Packages[name] = wish{Suite: p.Suite, Recommends: p.Recommends, Because: p.Because}
	}
	return w
}

// architectures are those whose indices are read, the native one first.
func (w wishes) architectures() []string {
	return append([]string{w.Architecture}, w.Foreign...)
}

// digest names the wishes.
func (w wishes) digest() string {
	text, err := json.Marshal(w)
	if err != nil {
		panic("build: wishes of plain values have JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// request puts the wishes to the solver.
func (w wishes) request() solve.Request {
	r := solve.Request{
		Architecture: w.Architecture, Essential: true,
		Recommends: w.Recommends, RecommendsOf: map[string]bool{}, Exclude: map[string]string{},
	}
	if w.Base == machine.BaseStandard {
		r.Priorities = []string{"required", "important"}
	}
	for name, p := range w.Packages {
		because := p.Because
		if because == "" {
			because = "packages"
		}
		r.Wants = append(r.Wants, solve.Want{Name: name, Because: because})
		if p.Recommends != nil {
			r.RecommendsOf[name] = *p.Recommends
		}
	}
	for _, name := range w.Exclude {
		r.Exclude[name] = cmp.Or(w.excludedBy[name], "exclude")
	}
	slices.SortFunc(r.Wants, func(a, b solve.Want) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// toolNames are the packages whose programs make images. They are pinned like
// any other and never part of a machine.
var toolNames = []string{"base-files", "e2fsprogs"}

func toolRequest(architecture string) solve.Request {
	r := solve.Request{Architecture: architecture}
	for _, name := range toolNames {
		r.Wants = append(r.Wants, solve.Want{Name: name, Because: "tools"})
	}
	return r
}

// initrdControl is the control file of the package that stands for Stet's own
// initrd, so that kernels find what they depend on.
const initrdControl = `Package: stet-initrd
Version: 1
Architecture: all
Maintainer: Stet
Section: kernel
Priority: optional
Provides: linux-initramfs-tool
Description: initial RAM file system, made by Stet
 Stet makes the initrd of a machine itself. This package ships no file; it
 stands in for the tools that would make one.
`

// synthetic gives the packages that Stet makes itself.
func synthetic() ([]*debian.Package, error) {
	stanza, err := debian.ParseStanza([]byte(initrdControl))
	if err != nil {
		return nil, err
	}
	p, err := debian.ParsePackage(stanza)
	if err != nil {
		return nil, err
	}
	p.SHA256 = syntheticSHA256()
	return []*debian.Package{&p}, nil
}

func syntheticSHA256() string {
	sum := sha256.Sum256([]byte(initrdControl))
	return hex.EncodeToString(sum[:])
}

func keyOf(p *debian.Package) lock.Key {
	return lock.Key{Name: p.Name, Version: p.Version, Architecture: p.Architecture}
}
