package rootfs

import (
	"context"
	"os"
	"strings"
	"testing"

	"stet/internal/sandbox"
	"stet/internal/tree"
)

// TestHarvestSeesEveryKindOfChange changes a root as scripts do, through the
// kernel's overlay, and reads back what became of it.
func TestHarvestSeesEveryKindOfChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("overlay roots need root")
	}
	for kind, provider := range providers {
		t.Run(kind, func(t *testing.T) { harvestEveryKind(t, provider) })
	}
}

// providers are all there are; as root every one can be used.
var providers = map[string]Provider{
	"overlay": Overlay{}, "shuffled": Overlay{Shuffle: 3}, "on disk": Overlay{OnDisk: true},
	"laid out": LaidOut{}, "laid out, shuffled": LaidOut{Shuffle: 3}, "copied": LaidOut{Copies: true},
}

func harvestEveryKind(t *testing.T, provider Provider) {
	for name, c := range map[string]struct{ script, want string }{
		"nothing":                  {"true", "/data/a=one /data/dir/b=two /data/dir/c=three /data/l>a"},
		"a new file":               {"echo -n new > /data/n", "/data/a=one /data/dir/b=two /data/dir/c=three /data/l>a /data/n=new"},
		"a changed file":           {"echo -n more >> /data/a", "/data/a=onemore /data/dir/b=two /data/dir/c=three /data/l>a"},
		"a removed file":           {"rm /data/a", "/data/dir/b=two /data/dir/c=three /data/l>a"},
		"a removed directory":      {"rm -r /data/dir", "/data/a=one /data/l>a"},
		"a directory made anew":    {"rm -r /data/dir; mkdir /data/dir; echo -n 4 > /data/dir/d", "/data/a=one /data/dir/d=4 /data/l>a"},
		"a moved file":             {"mv /data/a /data/dir/z", "/data/dir/b=two /data/dir/c=three /data/dir/z=one /data/l>a"},
		"a moved directory":        {"mv /data/dir /data/moved", "/data/a=one /data/l>a /data/moved/b=two /data/moved/c=three"},
		"moved, then changed":      {"mv /data/dir /data/moved; rm /data/moved/b; echo -n x > /data/moved/c", "/data/a=one /data/l>a /data/moved/c=x"},
		"a file for a directory":   {"rm -r /data/dir; echo -n f > /data/dir", "/data/a=one /data/dir=f /data/l>a"},
		"a directory for a file":   {"rm /data/a; mkdir /data/a; echo -n f > /data/a/x", "/data/a/x=f /data/dir/b=two /data/dir/c=three /data/l>a"},
		"a link turned":            {"ln -sfn dir /data/l", "/data/a=one /data/dir/b=two /data/dir/c=three /data/l>dir"},
		"a hard link":              {"ln /data/a /data/h", "/data/a=one /data/dir/b=two /data/dir/c=three /data/h=one /data/l>a"},
		"changed, then moved":      {"chmod 600 /data/dir/c; mv /data/dir /data/moved; mv /data/moved/b /data/moved/d; chmod 600 /data/moved/d", "/data/a=one /data/l>a /data/moved/c=three /data/moved/d=two"},
		"moved twice":              {"mkdir /data/x; mv /data/dir /data/x/y; chmod 600 /data/x/y/c; mv /data/x /data/moved; mv /data/moved/y /data/moved/z", "/data/a=one /data/l>a /data/moved/z/b=two /data/moved/z/c=three"},
		"a mode without a content": {"chmod 600 /data/a", "/data/a=one /data/dir/b=two /data/dir/c=three /data/l>a"},
		"moved with another mode":  {"chmod 600 /data/a; mv /data/a /data/dir/z", "/data/dir/b=two /data/dir/c=three /data/dir/z=one /data/l>a"},
	} {
		harvests(t, name, c.script, c.want, provider)
	}
}

func harvests(t *testing.T, name, script, want string, provider Provider) {
	s := openStore(t)
	base := pkg(t, s, stanza("a"), "/data/a =one", "/data/dir/b =two", "/data/dir/c =three", "/data/l >a",
		"/usr d", "/bin >usr/bin", "/lib >usr/lib", "/lib64 >usr/lib64")
	provided, err := provider.Provide(s, base.Files, true)
	if err != nil {
		t.Fatal(err)
	}
	root, err := provided.Root()
	if err != nil {
		t.Fatal(err)
	}
	root = append(root, sandbox.Mount{Target: "/usr", Bind: &sandbox.Bind{Source: "/usr", ReadOnly: true}})
	var out strings.Builder
	err = sandbox.Run(context.Background(), sandbox.Spec{Root: root, Argv: []string{"/bin/sh", "-ec", script}, Env: []string{"PATH=/usr/bin"}, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%s: %v %s", name, err, out.String())
	}
	after, err := provided.Harvest(tree.Time{Sec: 77})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	have, _, _ := strings.Cut(paths(t, s, after), " /lib>")
	have = strings.TrimPrefix(have, "/bin>usr/bin ")
	if have != want {
		t.Errorf("%s: have %s\nwant %s", name, have, want)
	}
	if e, ok := after.Lookup("/data/a"); ok && strings.HasPrefix(script, "chmod 600 /data/a") {
		if e.Mode != 0o600 || e.Mtime.Sec != 1000 {
			t.Errorf("%s: mode %o, time %v", name, e.Mode, e.Mtime)
		}
	}
	if e, ok := after.Lookup("/data/n"); ok && e.Mtime.Sec != 77 {
		t.Errorf("%s: a new file has the time %v", name, e.Mtime)
	}
	if e, ok := after.Lookup("/data/moved/c"); ok && e.Mtime.Sec != 77 {
		t.Errorf("%s: a moved file has the time %v", name, e.Mtime)
	}
	if err := provided.Close(); err != nil {
		t.Error(err)
	}
}

func TestOverlayAttributesAreNotHarvested(t *testing.T) {
	for kind, provider := range providers {
		t.Run(kind, func(t *testing.T) { overlayAttributes(t, provider) })
	}
}

func overlayAttributes(t *testing.T, provider Provider) {
	s := openStore(t)
	base := pkg(t, s, stanza("a"), "/data/dir/b =two", "/usr d", "/bin >usr/bin", "/lib >usr/lib", "/lib64 >usr/lib64")
	provided, err := provider.Provide(s, base.Files, true)
	if err != nil {
		t.Fatal(err)
	}
	defer provided.Close()
	root, err := provided.Root()
	if err != nil {
		t.Fatal(err)
	}
	root = append(root, sandbox.Mount{Target: "/usr", Bind: &sandbox.Bind{Source: "/usr", ReadOnly: true}})
	err = sandbox.Run(context.Background(), sandbox.Spec{Root: root, Argv: []string{"/bin/sh", "-ec", "echo x > /data/dir/b; mkdir /data/new"}, Env: []string{"PATH=/usr/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	after, err := provided.Harvest(tree.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for e := range after.All() {
		for _, x := range e.Xattrs {
			t.Errorf("%s has %s", e.Path, x.Key)
		}
	}
}

// A directory of a shuffled root lists the same entries in another order, as
// another file system would.
func TestAShuffledRootListsInAnotherOrder(t *testing.T) {
	s := openStore(t)
	lines := []string{"/usr d", "/bin >usr/bin", "/lib >usr/lib", "/lib64 >usr/lib64"}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		lines = append(lines, "/data/"+string(c)+" ="+string(c))
	}
	base := pkg(t, s, stanza("a"), lines...)
	list := func(provider Provider) (order, contents string) {
		provided, err := provider.Provide(s, base.Files, true)
		if err != nil {
			t.Fatal(err)
		}
		defer provided.Close()
		root, err := provided.Root()
		if err != nil {
			t.Fatal(err)
		}
		root = append(root, sandbox.Mount{Target: "/usr", Bind: &sandbox.Bind{Source: "/usr", ReadOnly: true}})
		var out strings.Builder
		err = sandbox.Run(context.Background(), sandbox.Spec{
			Root: root, Argv: []string{"/bin/sh", "-ec", "ls -U /data | tr -d '\\n'; echo; cat /data/*"}, Env: []string{"PATH=/usr/bin"}, Stdout: &out, Stderr: &out,
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		order, contents, _ = strings.Cut(out.String(), "\n")
		return order, contents
	}
	for _, make := range []func(seed uint64) Provider{
		func(seed uint64) Provider { return Overlay{Shuffle: seed} },
		func(seed uint64) Provider { return LaidOut{Shuffle: seed} },
	} {
		first, all := list(make(0))
		for _, seed := range []uint64{1, 2} {
			order, contents := list(make(seed))
			if order == first || len(order) != len(first) || contents != all {
				t.Errorf("%T, seed %d: it lists %s after %s, and reads %s", make(0), seed, order, first, contents)
			}
			if again, _ := list(make(seed)); again != order {
				t.Errorf("%T, seed %d: it lists %s, then %s", make(0), seed, order, again)
			}
		}
	}
}
