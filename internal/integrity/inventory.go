package integrity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// file is one that has to be read.
type file struct {
	kind   store.Kind // Images or Objects
	digest verity.Digest
	size   int64 // unknown when nobody says
}

const unknown = -1

// inventory is all there is and all there should be.
type inventory struct {
	store       *store.Store
	manifests   map[string]*system.Manifest // by digest
	generations map[string][]int            // numbers by system
	files       map[store.Kind]map[verity.Digest]int64
	records     int // manifests and trees that were read
	findings    []Finding
}

// take reads generations, manifests and trees, which name everything else.
func take(s *store.Store) (*inventory, error) {
	v := &inventory{
		store: s, manifests: map[string]*system.Manifest{}, generations: map[string][]int{},
		files: map[store.Kind]map[verity.Digest]int64{store.Images: {}, store.Objects: {}},
	}
	history, err := generation.In(s.Dir()).List()
	if err != nil {
		return nil, err
	}
	systems, err := s.List(store.Systems)
	if err != nil {
		return nil, err
	}
	for _, g := range history.Generations {
		v.generations[g.System] = append(v.generations[g.System], g.Number)
		systems = append(systems, g.System)
		v.need(store.Objects, g.Bundle, unknown)
		v.need(store.Objects, g.SourceMap, unknown)
	}
	for _, damage := range history.Damaged {
		name := filepath.Join("generations", fmt.Sprint(damage.Number), "record.json")
		v.findings = append(v.findings, Finding{
			Problem: Damaged, Kind: "generations", Name: name, Detail: damage.Err.Error(),
			Hurts: []Hurt{{Generations: []int{damage.Number}}},
		})
	}
	trees, err := s.List(store.Trees)
	if err != nil {
		return nil, err
	}
	for _, digest := range sorted(systems) {
		trees = append(trees, v.readManifest(digest)...)
	}
	for _, digest := range sorted(trees) {
		v.readTree(digest)
	}
	return v, v.lookAround()
}

func sorted(digests []string) []string {
	slices.Sort(digests)
	return slices.Compact(digests)
}

func (v *inventory) need(k store.Kind, d verity.Digest, size int64) {
	if !d.IsZero() && (size != unknown || v.files[k][d] == 0) {
		v.files[k][d] = size
	}
}

// readManifest gives the trees that a system has.
func (v *inventory) readManifest(digest string) (trees []string) {
	v.records++
	text, err := v.store.System(digest)
	var m *system.Manifest
	if err == nil {
		m, err = system.ParseManifest(text)
	}
	if err != nil {
		v.found(store.Systems, digest, err)
		return nil
	}
	v.manifests[digest] = m
	v.need(store.Objects, m.Kernel, unknown)
	v.need(store.Objects, m.Initrd, unknown)
	for _, image := range m.Images {
		v.need(store.Images, image, unknown)
	}
	for _, tree := range m.Trees {
		trees = append(trees, tree)
	}
	return trees
}

func (v *inventory) readTree(digest string) {
	v.records++
	text, err := v.store.TreeText(digest)
	if err != nil {
		v.found(store.Trees, digest, err)
		return
	}
	for content, err := range tree.Contents(text) {
		if err != nil {
			v.found(store.Trees, digest, err)
			return
		}
		v.need(store.Objects, content.Digest, content.Size)
	}
}

// found notes a manifest or tree that could not be read.
func (v *inventory) found(k store.Kind, digest string, err error) {
	f := Finding{Problem: Damaged, Kind: k, Name: filepath.Join(string(k), digest), Detail: err.Error(), digest: digest}
	if errors.Is(err, fs.ErrNotExist) {
		f.Problem, f.Detail = Missing, ""
	}
	v.findings = append(v.findings, f)
}

// lookAround adds the images and objects that nothing names: a build to come
// would take them for what their names say.
func (v *inventory) lookAround() error {
	images, err := v.store.List(store.Images)
	if err != nil {
		return err
	}
	for _, name := range images {
		v.add(store.Images, name)
	}
	halves, err := os.ReadDir(v.store.ObjectsDir())
	if err != nil {
		return err
	}
	for _, half := range halves {
		rest, err := os.ReadDir(filepath.Join(v.store.ObjectsDir(), half.Name()))
		if err != nil {
			return err
		}
		for _, entry := range rest {
			v.add(store.Objects, half.Name()+entry.Name())
		}
	}
	return nil
}

// add is need of a file that is there. One whose name is no digest is nobody's.
func (v *inventory) add(k store.Kind, name string) {
	if d, err := verity.ParseDigest(name); err == nil {
		if _, known := v.files[k][d]; !known {
			v.files[k][d] = unknown
		}
	}
}
