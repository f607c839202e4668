package mirror

import (
	"slices"

	"stet/internal/lock"
)

// Locked lists what a lock says must be fetched for some of its packages:
// everything but what Stet makes itself.
func Locked(l *lock.Lock, keys []lock.Key) []Deb {
	var debs []Deb
	for _, p := range l.Select(keys) {
		if p.Synthetic {
			continue
		}
		a, _ := l.Archive(p.Archive)
		debs = append(debs, Deb{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture,
			Archive: Archive{Name: a.Name, Suite: a.Suite}, Date: a.Date,
			Path: p.Path, SHA256: p.SHA256, Size: p.Size,
		})
	}
	return debs
}

// Locked is the Release as a lock keeps it. The suite's name is its id.
func (r *Release) Locked(components, architectures []string) lock.Archive {
	return lock.Archive{
		ID: r.Archive.Suite, Name: r.Archive.Name, Suite: r.Archive.Suite,
		Components: slices.Clone(components), Architectures: slices.Clone(architectures),
		Date: r.Date, SHA256: r.SHA256, Signers: slices.Clone(r.Signers),
	}
}
