package lock

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const heading = `stet.lock format %d
# What "stet lock" resolved and proved for every machine of this repository.
# Keep it in git. "stet lock" and "stet update" write it; do not edit it by hand.
`

// Format gives the canonical text of l, and sorts l on the way. It writes what
// it is given; call [Lock.Check] on a lock that was not parsed.
func (l *Lock) Format() []byte {
	l.Sort()
	var w bytes.Buffer
	fmt.Fprintf(&w, heading, Version)
	fmt.Fprintf(&w, "\nepoch %d %s\n", l.Epoch, formatTime(time.Unix(l.Epoch, 0)))
	for _, a := range l.Archives {
		formatArchive(&w, a)
	}
	names := indexNames(l.Packages)
	formatPackages(&w, l.Packages)
	if len(l.Tools) > 0 {
		w.WriteString("\ntools\n")
		formatKeys(&w, "  ", l.Tools, names)
	}
	formatIDs(&w, l.IDs)
	for _, name := range slices.Sorted(maps.Keys(l.Machines)) {
		formatMachine(&w, name, l.Machines[name], names)
	}
	return w.Bytes()
}

func formatArchive(w *bytes.Buffer, a Archive) {
	fmt.Fprintf(w, "\narchive %s\n", a.ID)
	heading := "name"
	if a.Repository {
		heading = "repository"
	}
	fmt.Fprintf(w, "  %s %s\n", heading, a.Name)
	fmt.Fprintf(w, "  suite %s\n", a.Suite)
	if len(a.Components) > 0 {
		fmt.Fprintf(w, "  components %s\n", strings.Join(a.Components, " "))
	}
	fmt.Fprintf(w, "  architectures %s\n", strings.Join(a.Architectures, " "))
	if !a.Snapshot.IsZero() {
		fmt.Fprintf(w, "  snapshot %s\n", formatTime(a.Snapshot))
	}
	fmt.Fprintf(w, "  release %s sha256 %s\n", formatTime(a.Date), a.SHA256)
	for _, fingerprint := range a.Signers {
		fmt.Fprintf(w, "  signer %s\n", fingerprint)
	}
	for _, fingerprint := range a.Keys {
		fmt.Fprintf(w, "  key %s\n", fingerprint)
	}
}

func formatPackages(w *bytes.Buffer, packages []Package) {
	if len(packages) == 0 {
		return
	}
	w.WriteString("\npackages\n  # name version architecture archive size sha256 path\n")
	for _, p := range packages {
		if p.Synthetic {
			fmt.Fprintf(w, "  %s %s %s %s\n", p.Name, p.Version, p.Architecture, synthetic)
			continue
		}
		from := p.Archive
		if p.Local {
			from = local
		}
		fmt.Fprintf(w, "  %s %s %s %s %d %s %s\n", p.Name, p.Version, p.Architecture, from, p.Size, p.SHA256, p.Path)
	}
}

func formatIDs(w *bytes.Buffer, ids IDs) {
	if len(ids.Users) > 0 {
		w.WriteString("\nusers\n  # name uid gid kind\n")
		for _, name := range slices.Sorted(maps.Keys(ids.Users)) {
			user := ids.Users[name]
			fmt.Fprintf(w, "  %s %d %d %s\n", name, user.UID, user.GID, user.Kind)
		}
	}
	if len(ids.Groups) > 0 {
		w.WriteString("\ngroups\n  # name gid\n")
		for _, name := range slices.Sorted(maps.Keys(ids.Groups)) {
			fmt.Fprintf(w, "  %s %d\n", name, ids.Groups[name])
		}
	}
}

func formatMachine(w *bytes.Buffer, name string, m Machine, names nameIndex) {
	fmt.Fprintf(w, "\nmachine %s\n", name)
	fmt.Fprintf(w, "  wishes sha256 %s\n", m.Wishes)
	if m.Result != (Result{}) {
		fmt.Fprintf(w, "  result sha256 %s stage %d\n", m.Result.Rootfs, m.Result.Stage)
	}
	if len(m.Packages) > 0 {
		w.WriteString("  packages\n")
		formatKeys(w, "    ", m.Packages, names)
	}
}

func formatKeys(w *bytes.Buffer, indent string, keys []Key, names nameIndex) {
	for _, key := range keys {
		w.WriteString(indent)
		w.WriteString(names.short(key))
		w.WriteByte('\n')
	}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// nameIndex holds, for each name, its packages in the order of the lock.
type nameIndex map[string][]Key

func indexNames(packages []Package) nameIndex {
	names := make(nameIndex, len(packages))
	for _, p := range packages {
		names[p.Name] = append(names[p.Name], p.Key())
	}
	return names
}

// short gives the shortest text that names key alone.
func (n nameIndex) short(key Key) string {
	architectures, versions := false, false
	for _, other := range n[key.Name] {
		switch {
		case other.Architecture != key.Architecture:
			architectures = true
		case other.Version != key.Version:
			versions = true
		}
	}
	text := key.Name
	if architectures {
		text += ":" + key.Architecture
	}
	if versions {
		text += "=" + key.Version
	}
	return text
}

// resolve gives every package that text may name.
func (n nameIndex) resolve(text string) []Key {
	text, version, hasVersion := strings.Cut(text, "=")
	name, architecture, hasArchitecture := strings.Cut(text, ":")
	var found []Key
	for _, key := range n[name] {
		if hasVersion && key.Version != version || hasArchitecture && key.Architecture != architecture {
			continue
		}
		found = append(found, key)
	}
	return found
}
