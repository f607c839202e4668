package build

import (
	"errors"
	"path/filepath"
	"testing"

	"stet/internal/machine"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// noRoots are asked for a root when a check runs.
type noRoots struct{ rootfs.Provider }

var errAsked = errors.New("a root was asked for")

func (noRoots) Provide(*store.Store, *tree.Tree, bool) (rootfs.Provided, error) { return nil, errAsked }

func TestAGoodVerdictIsRemembered(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made := func(lines ...string) *tree.Tree {
		made, err := s.Tree(putTree(t, s, lines...))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	b := &Builder{Store: s, Provider: noRoots{}}
	root := "of the root"
	in := system.Input{Machine: &machine.Machine{Checks: map[string]machine.BuildCheck{"web": {Command: "web -t", Files: []string{"/etc/web"}}}}}
	one, other := made("/etc/web - one", "/etc/motd - one"), made("/etc/web - one", "/etc/motd - other")
	if err := b.check(t.Context(), in, root, one); !errors.Is(err, errAsked) {
		t.Fatalf("a new system is not checked: %v", err)
	}
	s.Memoise("check", system.Checks(in.Machine)[0].Key(root, one), []byte("good\n"))
	for what, composed := range map[string]*tree.Tree{"the same system": one, "a system with another motd": other} {
		if err := b.check(t.Context(), in, root, composed); err != nil {
			t.Errorf("%s is checked again: %v", what, err)
		}
	}
	if err := b.check(t.Context(), in, root, made("/etc/web - other")); !errors.Is(err, errAsked) {
		t.Errorf("another file is not checked: %v", err)
	}
}
