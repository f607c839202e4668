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

	Fixes        []string                  `json:",omitempty"` // suites that packages come from like from Suite
	Further      []string                  `json:",omitempty"` // suites that packages come from where one asks
	Snapshot     string                    `json:",omitempty"`
	Repositories map[string]wishRepository `json:",omitempty"`

	// Answers are no matter for the solver, but the lock's result depends on them.
	Answers map[string]map[string]string `json:",omitempty"`
}

type wish struct {
	Suite      string
	Version    string         `json:",omitempty"`
	Local      *machine.Local `json:",omitempty"`
	Recommends *bool          `json:",omitempty"`
	Hold       bool           `json:"-"` // asks for nothing that was not asked before
	Because    string         `json:"-"`
}

// wishRepository is what a repository is, wherever it is.
type wishRepository struct {
	Suite      string
	Components []string
	Keys       []string // fingerprints
}

func wishesOf(m *machine.Machine) wishes {
	w := wishes{
		Suite: m.Debian.Suite, Components: m.Debian.Components, Architecture: m.Debian.Architecture,
		Base: m.Base, Packages: map[string]wish{},
		Fixes: m.Debian.Own()[1:], Further: m.Debian.Further(), Snapshot: m.Debian.Snapshot,
		Foreign: m.Debian.ForeignArchitectures, Recommends: m.Debian.Recommends,
		Exclude: slices.Sorted(maps.Keys(m.Exclude)), excludedBy: m.Exclude,
		Answers: m.Debconf,
	}
	for name, p := range m.Packages {
		w.Packages[name] = wish{Suite: p.Suite, Version: p.Version, Local: p.Local, Recommends: p.Recommends, Hold: p.Hold, Because: p.Because}
	}
	for name, r := range m.Repositories {
		if w.Repositories == nil {
			w.Repositories = map[string]wishRepository{}
		}
		of := wishRepository{Suite: r.Suite, Components: r.Components}
		if keys, err := repositoryKeys(name, r); err == nil { // config read them
			of.Keys = keys.Primaries()
		}
		w.Repositories[name] = of
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

// request puts the wishes to the solver. Versions are those that a wish must
// have, for whatever reason, by its name.
func (w wishes) request(versions map[string]string) solve.Request {
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
		r.Wants = append(r.Wants, solve.Want{Name: name, Version: versions[name], Because: because})
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
var toolNames = []string{
	"base-files",
	"e2fsprogs",        // makes the store's file system, and seals what is on it
	"systemd-boot-efi", // the boot loader of a disk
}

// hasTools reports whether a lock names every tool. One that was made before
// there was a tool does not.
func hasTools(l *lock.Lock) bool {
	for _, name := range toolNames {
		if !slices.ContainsFunc(l.Tools, func(k lock.Key) bool { return k.Name == name }) {
			return false
		}
	}
	return true
}

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
