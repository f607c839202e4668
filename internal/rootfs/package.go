package rootfs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/unpack"
)

// Package is one package of the root.
type Package struct {
	debian.Package
	Stanza  debian.Stanza // of its control file
	SHA256  string        // of the .deb; of a synthetic package's control file
	Files   *tree.Tree    // what it ships, paths as in the .deb
	Control *tree.Tree    // its control files, flat
}

// Load reads an unpacked package from the store.
func Load(s *store.Store, unpacked unpack.Package, sha256 string) (*Package, error) {
	files, err := s.Tree(unpacked.Files)
	if err != nil {
		return nil, err
	}
	control, err := s.Tree(unpacked.Control)
	if err != nil {
		return nil, err
	}
	p := &Package{SHA256: sha256, Files: files, Control: control}
	text, err := p.controlFile(s, "control")
	if err != nil {
		return nil, err
	}
	if p.Stanza, err = debian.ParseStanza(text); err != nil {
		return nil, err
	}
	if p.Package, err = debian.ParsePackage(p.Stanza); err != nil {
		return nil, err
	}
	return p, nil
}

// Synthetic makes a package of a control stanza alone. It ships nothing; it
// stands in dpkg's database so that dependencies on it hold.
func Synthetic(stanza debian.Stanza, sha256 string) (*Package, error) {
	p := &Package{SHA256: sha256, Stanza: stanza}
	var err error
	if p.Package, err = debian.ParsePackage(stanza); err != nil {
		return nil, err
	}
	root := []tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}}
	if p.Files, err = tree.New(root); err != nil {
		return nil, err
	}
	p.Control, err = tree.New(slices.Clone(root))
	return p, err
}

// key is the name dpkg takes on its command line.
func (p *Package) key() string { return p.Name + ":" + p.Architecture }

// infoName is the beginning of the package's file names in dpkg's database.
func (p *Package) infoName() string {
	if p.MultiArch == "same" {
		return p.key()
	}
	return p.Name
}

// has reports whether the package has a control file of that name.
func (p *Package) has(name string) bool {
	_, ok := p.Control.Lookup("/" + name)
	return ok
}

// controlFile gives a control file's content, nothing if there is none.
func (p *Package) controlFile(s *store.Store, name string) ([]byte, error) {
	e, ok := p.Control.Lookup("/" + name)
	if !ok {
		return nil, nil
	}
	data, err := s.ReadObject(e.Digest)
	if err != nil {
		return nil, fmt.Errorf("%s: read %s: %w", p.Name, name, err)
	}
	return data, nil
}

// sorted orders packages so that everything that depends on an order comes
// out the same: the essential ones first, then by name and architecture.
func sorted(packages []*Package) []*Package {
	out := slices.Clone(packages)
	slices.SortFunc(out, func(a, b *Package) int {
		if a.Essential != b.Essential {
			if a.Essential {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture))
	})
	return out
}
