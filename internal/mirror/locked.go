package mirror

import (
	"fmt"

	"stet/internal/lock"
)

// Locked lists what a lock says must be fetched for some of its packages:
// everything but what Stet makes itself, and what the repository has.
// Repositories says where those of the configuration are, by name.
func Locked(l *lock.Lock, keys []lock.Key, repositories map[string]Archive) ([]Deb, error) {
	var debs []Deb
	for _, p := range l.Select(keys) {
		if p.Synthetic || p.Local {
			continue
		}
		a, _ := l.Archive(p.Archive)
		from := Archive{Name: a.Name, Suite: a.Suite}
		if a.Repository {
			declared, ok := repositories[a.Name]
			if !ok {
				return nil, fmt.Errorf("package %s %s is locked from repository %s, which is not declared", p.Name, p.Version, a.Name)
			}
			from = declared
		}
		debs = append(debs, Deb{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture,
			Archive: from, Date: a.Date,
			Path: p.Path, SHA256: p.SHA256, Size: p.Size,
		})
	}
	return debs, nil
}

// Locked is the Release as a lock keeps it, under the name id.
func (r *Release) Locked(id string, components, architectures []string) lock.Archive {
	a := lock.Archive{
		ID: id, Name: r.Archive.Name, Suite: r.Archive.Suite, Repository: r.Archive.URL != "",
		Architectures: append([]string(nil), architectures...),
		Snapshot:      r.Archive.Snapshot.UTC(),
		Date:          r.Date.UTC(), SHA256: r.SHA256, Signers: append([]string(nil), r.Signers...),
	}
	if !r.Archive.isFlat() {
		a.Components = append([]string(nil), components...)
	}
	if a.Repository {
		a.Keys = r.Archive.Keys.Primaries()
	}
	return a
}
