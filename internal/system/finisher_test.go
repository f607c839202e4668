package system

import (
	"testing"

	"stet/internal/machine"
	"stet/internal/tree"
)

// What is at a finisher's outputs is part of what its result depends on: else
// what a store remembers of another machine would come out here.
func TestAFinishersKeyCoversItsOutputsAndTheEpoch(t *testing.T) {
	f := newFixture(t)
	m := &machine.Machine{Locale: "en_GB.UTF-8"}
	composed := f.must(m)
	list, err := Finishers(m, f.root, composed)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	keys := map[string]bool{list[0].Key(composed, 1): true, list[0].Key(composed, 2): true}
	for _, mtime := range []int64{1, 2} {
		b := tree.NewBuilder(composed)
		name := list[0].Outputs[0] + "LC_TIME"
		b.MakeParents(name, tree.Time{})
		b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Mtime: tree.Time{Sec: mtime}})
		other, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		keys[list[0].Key(other, 1)] = true
	}
	if len(keys) != 4 {
		t.Errorf("three roots, one of them at two epochs, have %d keys", len(keys))
	}
}
