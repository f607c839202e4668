package gc

import (
	"fmt"
	"maps"
	"slices"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/verity"
)

// living finds what keeps the images that are mounted somewhere. Generations
// share images: one that stays anyway keeps its own, of the others the newest that
// has it does. An image that no generation has is kept by a system that was never
// recorded.
func (m Machine) living(history generation.History) (used map[int]string, unrecorded []string, err error) {
	used = map[int]string{}
	for _, g := range history.Generations {
		// A tree that is mounted nowhere any more is of the generation that was
		// booted, or of one made since; where none was booted, as on a host that
		// builds, it is somebody else's.
		if m.Use.Detached != 0 && m.Standing.Booted != 0 && g.Number >= m.Standing.Booted {
			used[g.Number] = fmt.Sprintf("perhaps used by process %d", m.Use.Detached)
		}
	}
	unkept := maps.Clone(m.Use.Images)
	anyway := Protected(history, m.Standing, used)
	for _, g := range history.Generations {
		if anyway[g.Number] != "" {
			m.keep(g.System, unkept)
		}
	}
	for _, g := range slices.Backward(history.Generations) {
		if anyway[g.Number] == "" && m.keep(g.System, unkept) {
			used[g.Number] = "used by a living process"
		}
	}
	if len(unkept) == 0 {
		return used, nil, nil
	}
	systems, err := m.Store.List(store.Systems)
	if err != nil {
		return nil, nil, err
	}
	for _, digest := range systems {
		if m.keep(digest, unkept) {
			unrecorded = append(unrecorded, digest)
		}
	}
	return used, unrecorded, nil
}

// keep takes the images that a system has out of those that nothing keeps yet, and
// reports whether there were any.
func (m Machine) keep(digest string, unkept map[verity.Digest]int) bool {
	text, err := m.Store.System(digest)
	if err != nil {
		return false // who needs it says so
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		return false
	}
	before := len(unkept)
	for _, image := range manifest.Images {
		delete(unkept, image)
	}
	return len(unkept) < before
}
