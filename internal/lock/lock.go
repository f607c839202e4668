package lock

import (
	"cmp"
	"slices"
	"time"
)

// Version is the format this package writes. It reads all from 1 on: each says
// everything that the one before it does, in the same words.
const Version = 2

// FileName is the lock's name, beside the configuration.
const FileName = "stet.lock"

// Lock is the content of one stet.lock.
type Lock struct {
	Epoch    int64     // time stamp of everything generated, seconds since 1970
	Archives []Archive // sorted by ID
	Packages []Package // the union over machines and tools; see [Key.Compare]
	Tools    []Key     // packages whose programs make and check images
	IDs      IDs
	Machines map[string]Machine
}

// Archive is one suite of one archive, as it was when it was read. Where it is
// stands in no lock: mirrors have Debian's, and the configuration knows where
// its repositories are.
type Archive struct {
	ID            string   // what [Package.Archive] says
	Name          string   // the archive's name at Debian: "debian", "debian-security"; or a repository's
	Repository    bool     // the configuration declares it; it is not Debian's
	Suite         string   // the directory below dists/; of a flat repository, one that ends in "/"
	Components    []string // none of a flat repository
	Architectures []string
	Date          time.Time // the Release's Date, whole seconds, UTC
	SHA256        string    // of the InRelease file, lower-case hexadecimal
	Signers       []string  // fingerprints of the keys whose signatures were good
	Snapshot      time.Time // the moment that the configuration asks for, UTC; zero when it is the newest
	Keys          []string  // fingerprints of the primary keys that a repository declares
}

// Package is one locked .deb, or one package that Stet makes itself.
type Package struct {
	Name         string
	Version      string
	Architecture string

	// Synthetic says that Stet makes the package and no archive has it
	// (stet-initrd). Then the fields below are empty.
	Synthetic bool

	// Local says that the .deb is a file of the repository with the
	// configuration. Then Archive is empty, and Path relative to that.
	Local bool

	Archive string // an [Archive.ID]
	Size    int64  // bytes of the .deb
	SHA256  string // of the .deb, lower-case hexadecimal
	Path    string // pool path, relative to the archive's root
}

// Key names one [Package] of a lock.
type Key struct {
	Name         string
	Version      string
	Architecture string
}

// IDs is the ledger of every user and group ever seen. An id never moves.
type IDs struct {
	Users  map[string]User
	Groups map[string]int // gid
}

// User is one user of the ledger.
type User struct {
	UID  int
	GID  int // of the primary group
	Kind UserKind
}

// UserKind tells people from programs.
type UserKind string

// The kinds of a [User].
const (
	System UserKind = "system"
	Human  UserKind = "human"
)

// Machine is what the lock says about one machine.
type Machine struct {
	Wishes   string // digest of what was asked for, 64 lower-case hexadecimal digits
	Result   Result
	Packages []Key // sorted; each names one of [Lock.Packages]
}

// Result is what configuring the packages gave. The zero Result says that it
// was not done yet.
type Result struct {
	Rootfs string // digest of the configured tree, 64 lower-case hexadecimal digits
	Stage  int    // version of the stage that made it
}

// Key is p's name in the lock.
func (p *Package) Key() Key {
	return Key{Name: p.Name, Version: p.Version, Architecture: p.Architecture}
}

// Compare orders keys by name, architecture and version. Versions are ordered
// as bytes: the order must be stable, and needs no meaning.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.Name, other.Name),
		cmp.Compare(k.Architecture, other.Architecture),
		cmp.Compare(k.Version, other.Version),
	)
}

// String gives the key in full: "name:architecture=version".
func (k Key) String() string { return k.Name + ":" + k.Architecture + "=" + k.Version }

// Sort brings everything into the order of the text.
func (l *Lock) Sort() {
	slices.SortFunc(l.Archives, func(a, b Archive) int { return cmp.Compare(a.ID, b.ID) })
	for _, a := range l.Archives {
		slices.Sort(a.Components)
		slices.Sort(a.Architectures)
		slices.Sort(a.Signers)
		slices.Sort(a.Keys)
	}
	slices.SortFunc(l.Packages, comparePackages)
	slices.SortFunc(l.Tools, Key.Compare)
	for _, m := range l.Machines {
		slices.SortFunc(m.Packages, Key.Compare)
	}
}

func comparePackages(a, b Package) int { return a.Key().Compare(b.Key()) }

// Package finds a package by its key in a sorted lock.
func (l *Lock) Package(key Key) (Package, bool) {
	i, found := slices.BinarySearchFunc(l.Packages, key, func(p Package, k Key) int { return p.Key().Compare(k) })
	if !found {
		return Package{}, false
	}
	return l.Packages[i], true
}

// Archive finds an archive by its id.
func (l *Lock) Archive(id string) (Archive, bool) {
	for _, a := range l.Archives {
		if a.ID == id {
			return a, true
		}
	}
	return Archive{}, false
}

// Select gives the packages of keys, in the order of keys. A key the lock does
// not have is left out; a lock from [Parse] has them all.
func (l *Lock) Select(keys []Key) []Package {
	selected := make([]Package, 0, len(keys))
	for _, key := range keys {
		if p, found := l.Package(key); found {
			selected = append(selected, p)
		}
	}
	return selected
}
