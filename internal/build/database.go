package build

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// Database is dpkg's in a built system, and what else of its trees tells of packages.
type Database struct {
	store    *store.Store
	usr, etc tree.Files
}

// databasePlace is where the usr tree has dpkg's database.
const databasePlace = "/lib/sysimage/dpkg"

// OpenDatabase opens the database of a built system.
func OpenDatabase(s *store.Store, digest string) (*Database, error) {
	text, err := s.System(digest)
	if err != nil {
		return nil, err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return nil, err
	}
	d := &Database{store: s}
	if d.usr, err = s.Files(m.Trees["usr"]); err != nil {
		return nil, err
	}
	d.etc, err = s.Files(m.Trees["etc"])
	return d, err
}

func (d *Database) read(name string) ([]byte, error) {
	e, ok := d.usr.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("the system has no /usr%s", name)
	}
	if e.Size == 0 {
		return nil, nil
	}
	return d.store.ReadObject(e.Digest)
}

// Owners are the packages that ship a path, sorted. The directories that
// merged-/usr made links are one with what they lead to.
func (d *Database) Owners(name string) ([]string, error) {
	owners, err := d.OwnersOf([]string{name})
	return owners[name], err
}

// OwnersOf gives the owners of several paths, in one look at what all packages ship.
func (d *Database) OwnersOf(paths []string) (map[string][]string, error) {
	asked := map[string][]string{} // by each name that a list may have for them
	for _, name := range paths {
		now := merged(name)
		asked[now] = append(asked[now], name)
		if before := strings.TrimPrefix(now, "/usr"); before != now && merged(before) == now {
			asked[before] = append(asked[before], name)
		}
	}
	owners := map[string][]string{}
	err := d.each(".list", func(p string, list []byte) {
		for line := range bytes.SplitSeq(list, []byte("\n")) {
			for _, name := range asked[string(line)] {
				owners[name] = append(owners[name], p)
			}
		}
	})
	for name, of := range owners {
		slices.Sort(of)
		owners[name] = slices.Compact(of)
	}
	return owners, err
}

// each reads one kind of file in the database for every package.
func (d *Database) each(suffix string, take func(name string, text []byte)) error {
	for e := range d.usr.Below(databasePlace + "/info") {
		base, ok := strings.CutSuffix(path.Base(e.Path), suffix)
		if !ok {
			continue
		}
		text, err := d.read(e.Path)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(base, ":")
		take(name, text)
	}
	return nil
}

// merged is a path as merged-/usr has it.
func merged(name string) string {
	for _, top := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if name == top || strings.HasPrefix(name, top+"/") {
			return "/usr" + name
		}
	}
	return name
}
