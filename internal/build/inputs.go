package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/residue"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/unpack"
)

// inputs are everything that a system depends on, by name: their digest is what
// it is remembered by, so that whatever makes it be built anew has a name.
func (b *Builder) inputs(m *machine.Machine, l *lock.Lock, packages []lock.Package, sources fs.FS) ([]graph.Input, error) {
	_, table, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	all := []graph.Input{
		{Kind: graph.Version, Name: graph.UnpackVersion, Value: unpack.Stage},
		{Kind: graph.Version, Name: graph.RootsVersion, Value: strconv.Itoa(rootfs.Stage)},
		{Kind: graph.Version, Name: graph.SystemVersion, Value: strconv.Itoa(systemStage)},
		{Kind: graph.Residue, Value: sum(table)},
		{Kind: graph.Init, Value: b.Init.ID},
		{Kind: graph.Epoch, Value: strconv.FormatInt(l.Epoch, 10)},
		{Kind: graph.Machine, Name: m.Name, Value: m.Digest()},
	}
	for _, p := range packages {
		all = append(all, graph.Input{Kind: graph.Package, Name: nameOf(p), Value: p.Version + " " + p.SHA256})
	}
	for _, a := range origins(m, l) {
		all = append(all, graph.Input{Kind: graph.Archive, Name: a.ID, Value: fmt.Sprintf("%s %s %q %d", a.Name, a.Suite, a.Components, a.Date.Unix())})
	}
	for _, name := range slices.Sorted(maps.Keys(l.IDs.Users)) {
		all = append(all, graph.Input{Kind: graph.User, Name: name, Value: fmt.Sprintf("%d:%d", l.IDs.Users[name].UID, l.IDs.Users[name].GID)})
	}
	for _, name := range slices.Sorted(maps.Keys(l.IDs.Groups)) {
		all = append(all, graph.Input{Kind: graph.Group, Name: name, Value: strconv.Itoa(l.IDs.Groups[name])})
	}
	read := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		source := m.Files[name].Source
		if source == "" || read[source] {
			continue
		}
		read[source] = true
		digest, err := fileSum(sources, source)
		if err != nil {
			return nil, fmt.Errorf("%s: read its source: %w", name, err)
		}
		all = append(all, graph.Input{Kind: graph.File, Name: source, Value: digest})
	}
	return all, nil
}

// nameOf is how a package is called among inputs.
func nameOf(p lock.Package) string { return p.Name + ":" + p.Architecture }

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// options are the options of a machine, each with a digest of its value.
func options(m *machine.Machine) ([]graph.Input, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	var all []graph.Input
	var walk func(name string, value any) error
	walk = func(name string, value any) error {
		if fields, ok := value.(map[string]any); ok && len(fields) > 0 {
			for _, field := range slices.Sorted(maps.Keys(fields)) {
				if err := walk(name+"."+field, fields[field]); err != nil {
					return err
				}
			}
			return nil
		}
		text, err := json.Marshal(value)
		all = append(all, graph.Input{Kind: graph.Option, Name: name, Value: sum(text)})
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(value)) {
		if err := walk(field, value[field]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Inputs are all that the system was built from, by name, down to the options.
func (s *System) Inputs() ([]graph.Input, error) {
	declared, err := options(s.machine)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(slices.Clone(s.inputs), func(in graph.Input) bool { return in.Kind == graph.Machine })
	return append(all, declared...), nil
}

// Units are what the system has of the stages that made it, with their sizes.
func (s *System) Units(from *store.Store) []graph.Unit {
	all := []graph.Unit{
		{Step: graph.Step{Stage: graph.Number}, Result: s.Root},
		{Step: graph.Step{Stage: graph.System}, Bytes: s.Bytes, Result: s.Digest},
		{Step: graph.Step{Stage: graph.Initrd}, Bytes: size(from, store.Objects, s.Manifest.Initrd.String()), Result: s.Manifest.Initrd.String()},
	}
	for name, digest := range s.Manifest.Images {
		all = append(all, graph.Unit{
			Step: graph.Step{Stage: graph.Image, Name: name}, Bytes: size(from, store.Images, digest.String()), Result: digest.String(),
		})
	}
	for _, p := range s.Packages {
		if !p.Synthetic {
			all = append(all, graph.Unit{Step: graph.Step{Stage: graph.Import, Name: nameOf(p)}, Bytes: p.Size})
		}
	}
	return all
}

// size is 0 of what is not there.
func size(s *store.Store, kind store.Kind, digest string) int64 {
	n, err := s.Size(kind, digest)
	if err != nil {
		return 0
	}
	return n
}

// Record is what is kept of the build to explain the next one.
func (s *System) Record(from *store.Store) (*graph.Record, error) {
	inputs, err := s.Inputs()
	if err != nil {
		return nil, err
	}
	r := &graph.Record{Key: s.Key, Inputs: inputs, Results: map[string]string{}}
	for _, u := range s.Units(from) {
		if u.Result != "" {
			r.Results[u.String()] = u.Result
		}
	}
	return r, nil
}
