package system

import (
	"testing"

	"stet/internal/machine"
	"stet/internal/residue"
	"stet/internal/tree"
)

// Every file of the trees leads back to the path it had before Split.
func TestOriginIsSplitTheOtherWayRound(t *testing.T) {
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	trees, err := Split(&machine.Machine{Name: "m"}, f.root, epoch)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, part := range map[string]*tree.Tree{"usr": trees.Usr, "etc": trees.Etc, "modules": trees.Modules, "var": trees.Var} {
		for e := range part.All() {
			if e.Type != tree.Regular {
				continue
			}
			origin := Origin(table, name, e.Path)
			before, ok := f.root.Lookup(origin)
			if !ok || !before.SameContent(e) {
				t.Errorf("%s %s: its origin is said to be %s", name, e.Path, origin)
			}
			found++
		}
	}
	if found < 15 {
		t.Errorf("only %d files were compared", found)
	}
}
