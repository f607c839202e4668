package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/mirror"
	"stet/internal/progress"
	"stet/internal/signature"
	"stet/internal/solve"
)

// standing says when a package of an archive is taken: apt's priorities of
// versions (apt_preferences(5)), without their numbers.
type standing int

const (
	own     standing = iota // by itself; the highest version wins (500)
	further                 // where a package asks for it, or nobody else has it (100)
	remote                  // the same, and after those (1)
)

// securityArchive is the archive of Debian that has nothing but fixes.
const securityArchive = "debian-security"

// source is one archive that a machine gets packages from.
type source struct {
	id         string // in the lock
	name       string // what packages call it: the suite, or the repository
	archive    mirror.Archive
	components []string
	standing   standing
}

// sourcesOf lists the archives of a machine, the one to prefer among equal
// bytes first. IDs gives the name in the lock of a suite at a snapshot.
func sourcesOf(m *machine.Machine, ids map[suiteAt]string) ([]source, error) {
	var sources []source
	at := time.Time{}
	if m.Debian.Snapshot != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, m.Debian.Snapshot); err != nil {
			return nil, fmt.Errorf("machine %s: read its snapshot: %w", m.Name, err)
		}
	}
	debianSuite := func(suite string, s standing) {
		name := "debian"
		if strings.HasSuffix(suite, "-security") {
			name = securityArchive
		}
		sources = append(sources, source{
			id: ids[suiteAt{suite, m.Debian.Snapshot}], name: suite, components: m.Debian.Components, standing: s,
			archive: mirror.Archive{Name: name, Suite: suite, Snapshot: at},
		})
	}
	for _, suite := range m.Debian.Own() {
		debianSuite(suite, own)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Repositories)) {
		archive, err := repositoryArchive(name, m.Repositories[name])
		if err != nil {
			return nil, fmt.Errorf("machine %s: %w", m.Name, err)
		}
		sources = append(sources, source{id: name, name: name, archive: archive, components: m.Repositories[name].Components, standing: own})
	}
	for _, suite := range m.Debian.Further() {
		debianSuite(suite, further)
	}
	return sources, nil
}

// suiteAt is a suite of Debian at a snapshot, or now.
type suiteAt struct{ suite, snapshot string }

// idsOf gives every suite of some machines its name in the lock: the suite's
// own, unless machines have it at different snapshots.
func idsOf(machines map[string]*machine.Machine) map[suiteAt]string {
	snapshots := map[string]map[string]bool{}
	all := map[suiteAt]string{}
	for _, m := range machines {
		for _, suite := range slices.Concat(m.Debian.Own(), m.Debian.Further()) {
			if snapshots[suite] == nil {
				snapshots[suite] = map[string]bool{}
			}
			snapshots[suite][m.Debian.Snapshot] = true
			all[suiteAt{suite, m.Debian.Snapshot}] = suite
		}
	}
	for at := range all {
		if len(snapshots[at.suite]) > 1 && at.snapshot != "" {
			all[at] = at.suite + "." + strings.NewReplacer("-", "", ":", "").Replace(at.snapshot)
		}
	}
	return all
}

func repositoryKeys(name string, r machine.Repository) (*signature.Keyring, error) {
	keys, err := signature.ParseKeys([]byte(r.Key))
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", name, err)
	}
	keys.Owner = "repositories." + name + ".key"
	return keys, nil
}

func repositoryArchive(name string, r machine.Repository) (mirror.Archive, error) {
	keys, err := repositoryKeys(name, r)
	return mirror.Archive{Name: name, Suite: r.Suite, URL: r.URL, Keys: keys}, err
}

// RepositoryError says that machines mean different repositories by one name.
type RepositoryError struct{ Name, First, Second string }

// Error implements error.
func (e *RepositoryError) Error() string {
	return fmt.Sprintf("machines %s and %s have two different repositories of the name %s", e.First, e.Second, e.Name)
}

// repositoriesOf gives the repositories of all machines, by name.
func repositoriesOf(machines map[string]*machine.Machine) (map[string]mirror.Archive, error) {
	all := map[string]mirror.Archive{}
	first := map[string]*machine.Machine{}
	for _, of := range slices.Sorted(maps.Keys(machines)) {
		m := machines[of]
		for name, r := range m.Repositories {
			if before := first[name]; before != nil {
				if have := before.Repositories[name]; have.URL != r.URL || have.Suite != r.Suite || have.Key != r.Key {
					return nil, &RepositoryError{name, before.Name, m.Name}
				}
				continue
			}
			archive, err := repositoryArchive(name, r)
			if err != nil {
				return nil, err
			}
			first[name], all[name] = m, archive
		}
	}
	return all, nil
}

// index is what an archive lists.
type index struct {
	source
	catalogs []*catalog.Catalog
}

// named gives the packages of a name.
func (i index) named(name string) []*debian.Package {
	var all []*debian.Package
	for _, c := range i.catalogs {
		all = append(all, c.Named(name)...)
	}
	return all
}

// indices reads the archives of a machine and notes them in the lock.
func (r *resolver) indices(ctx context.Context, sources []source, architectures []string) ([]index, error) {
	var all []index
	for _, s := range sources {
		read, err := r.index(ctx, s, architectures)
		if err != nil {
			return nil, err
		}
		all = append(all, read)
	}
	return all, nil
}

func (r *resolver) index(ctx context.Context, s source, architectures []string) (index, error) {
	key := fmt.Sprint(s.id, s.standing, s.components, architectures)
	if read, ok := r.read[key]; ok {
		read.name = s.name
		return read, nil
	}
	l := r.locker
	l.Report.Report(progress.Event{Stage: "read indices", Detail: s.id})
	if s.archive.Snapshot.After(l.Now) {
		return index{}, &FutureSnapshotError{s.archive.Snapshot, l.Now}
	}
	// A snapshot is as old as the configuration says; everything else only
	// ever gets newer.
	before, known := r.old.Archive(s.id)
	known = known && before.Suite == s.archive.Suite && before.Repository == (s.archive.URL != "")
	if known && s.archive.Snapshot.IsZero() && before.Snapshot.IsZero() && !r.update.Older[s.id] {
		s.archive.NotBefore = before.Date
	}
	release, catalogs, err := l.Mirror.Indices(ctx, s.archive, l.Now, s.components, architectures)
	if err != nil {
		return index{}, fmt.Errorf("archive %s: %w", s.id, err)
	}
	switch {
	case s.standing == own && s.archive.URL == "":
	case release.NotAutomatic && !release.ButAutomaticUpgrades:
		s.standing = remote
	case release.NotAutomatic:
		s.standing = further
	}
	if err := r.note(release.Locked(s.id, s.components, architectures)); err != nil {
		return index{}, err
	}
	read := index{s, catalogs}
	r.read[key] = read
	return read, nil
}

// FutureSnapshotError says that a snapshot is of a time that has not come.
type FutureSnapshotError struct{ At, Now time.Time }

// Error implements error.
func (e *FutureSnapshotError) Error() string {
	return fmt.Sprintf("debian.snapshot is %s, and now it is %s: there is no snapshot of the future", e.At.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
}

// note adds an archive to the lock, or joins it with what was read of it for
// another machine.
func (r *resolver) note(a lock.Archive) error {
	for i := range r.next.Archives {
		have := &r.next.Archives[i]
		if have.ID != a.ID {
			continue
		}
		if have.SHA256 != a.SHA256 {
			return fmt.Errorf("archive %s got a new Release while it was read: run the command again", a.ID)
		}
		have.Components = slices.Compact(slices.Sorted(slices.Values(append(have.Components, a.Components...))))
		have.Architectures = slices.Compact(slices.Sorted(slices.Values(append(have.Architectures, a.Architectures...))))
		return nil
	}
	r.next.Archives = append(r.next.Archives, a)
	return nil
}

// locate notes where the packages of a solution are from: of several archives
// that have one at the same place, the first.
func (r *resolver) locate(of *solve.Solution, indices []index) {
	for k := range of.Packages {
		for _, i := range indices {
			for _, p := range i.named(of.Packages[k].Name) {
				if at := placeOf(p); r.origins[at] == "" {
					r.origins[at] = i.id
				}
			}
		}
	}
}

// place is where an archive has a package. Equal bytes are at several places:
// what trixie-security had is in trixie after the next point release.
type place struct{ sha256, path string }

func placeOf(p *debian.Package) place { return place{p.SHA256, p.Filename} }
