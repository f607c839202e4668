package plan

import (
	"fmt"
	"slices"

	"stet/internal/tree"
	"stet/internal/verity"
)

// countObjects says what the machine has to fetch: contents of the new trees
// that no tree has whose contents are there.
func (m *maker) countObjects() error {
	var wanted []string
	for _, name := range treeNames {
		if digest := m.new.Trees[name]; digest != m.old.Trees[name] && !slices.Contains(m.facts.Trees, digest) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	have := map[verity.Digest]bool{{}: true}
	for _, digest := range m.facts.Trees {
		t, err := m.store.Tree(digest)
		if err != nil {
			return fmt.Errorf("tree %.12s, which the machine has: %w", digest, err)
		}
		note(t, have, nil)
	}
	for _, name := range treeNames {
		t, err := m.old.tree(name)
		if err != nil {
			return err
		}
		note(t, have, nil)
	}
	fetch := &m.plan.Fetch
	for _, name := range wanted {
		t, err := m.new.tree(name)
		if err != nil {
			return err
		}
		note(t, have, fetch)
	}
	if disk := m.facts.Disk; fetch.Bytes > disk.Free || int64(fetch.Objects) > disk.Inodes {
		m.decide(DecideSpace, "the store", "has too little room for what has to be fetched", "`stet gc` removes old generations")
	}
	return nil
}

// note adds the contents of a tree, and counts those that are new.
func note(t *tree.Tree, have map[verity.Digest]bool, count *Fetch) {
	for e := range t.All() {
		if !have[e.Digest] && count != nil {
			count.Objects++
			count.Bytes += e.Size
		}
		have[e.Digest] = true
	}
}

// countESP says what the EFI system partition has to take. Kernels and initrds
// are shared there by all generations.
func (m *maker) countESP() {
	esp := m.facts.ESP
	if esp == nil {
		return // the machine is started without one
	}
	m.plan.ESP.Free = esp.Free
	for _, blob := range []Blob{m.new.Kernel, m.new.Initrd} {
		if !slices.Contains(esp.Has, blob.Digest) {
			m.plan.ESP.Bytes += blob.Size
		}
	}
	if m.plan.ESP.Bytes > esp.Free {
		m.decide(DecideSpace, "the EFI system partition", "has too little room for the kernel and its initrd", "`stet gc` removes those of old generations")
	}
}
