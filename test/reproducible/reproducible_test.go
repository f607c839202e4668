package reproducible_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/store"
	"stet/internal/tree"
	"stet/test/example"
	"stet/test/program"
)

// surroundings are one way to run the same build.
type surroundings struct {
	name   string
	dir    string   // of the repository, below the test's own directory
	env    []string // "@" stands for the place of the store
	prefix []string
	memory bool // the store is in memory
}

// all has the plain way first; the others are compared with it.
var all = []surroundings{
	{
		name: "plain",
		dir:  "plain",
		env:  []string{"STET_STORE=", "XDG_CACHE_HOME=@", "TZ=UTC", "LANG=C", "LC_ALL="},
	},
	{
		name: "another user, host and one CPU",
		dir:  "another place/with spaces and ümläuts",
		env: []string{
			"STET_STORE=@", "XDG_CACHE_HOME=/nonexistent", "HOME=/nonexistent", "TMPDIR=/nonexistent", "USER=somebody",
			"TZ=Asia/Kathmandu", "LANG=de_DE.UTF-8", "LC_ALL=tr_TR.UTF-8", "DEBIAN_FRONTEND=readline", "SOURCE_DATE_EPOCH=1",
			"DPKG_ROOT=/nonexistent", "PERL5LIB=/nonexistent", "GOMAXPROCS=1",
		},
		prefix: []string{"unshare", "--uts", "sh", "-c", `umask 077; hostname elsewhere.example && exec taskset -c 0 "$@"`, "sh"},
	},
	{
		name:   "no network, store in memory, many threads",
		dir:    "n",
		env:    []string{"STET_STORE=@", "PATH=/nonexistent", "TZ=America/St_Johns", "LANG=", "LC_ALL=POSIX", "GOMAXPROCS=16"},
		prefix: []string{"/usr/bin/unshare", "--net", "/bin/sh", "-c", `umask 000; ulimit -Sn 256; exec "$@"`, "sh"},
		memory: true,
	},
}

func TestSameBytesEverywhere(t *testing.T) {
	for _, name := range example.Names {
		t.Run(name, func(t *testing.T) {
			locked := program.Example(t, name)
			ways := all
			if name != "minimal" {
				ways = all[:2] // the third finds nothing more in more packages
			}
			var first outcome
			for i, s := range ways {
				made := s.build(t, locked)
				t.Logf("%s: %s", s.name, made.built.Digest)
				if made.built.Reused {
					t.Fatalf("%s: the store was not empty", s.name)
				}
				if i == 0 {
					first = made
					continue
				}
				compare(t, s.name, first, made)
			}
		})
	}
}

// outcome is what a build left.
type outcome struct {
	built program.Built
	store string
}

// build builds a copy of the locked repository in an empty store.
func (s surroundings) build(t *testing.T, locked program.Program) outcome {
	t.Helper()
	base := t.TempDir()
	dir, place := filepath.Join(base, s.dir), filepath.Join(base, "store")
	if err := os.CopyFS(dir, os.DirFS(locked.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if s.memory {
		if err := unix.Mount("tmpfs", place, "tmpfs", 0, "size=3g"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(place, 0); err != nil {
				t.Error(err)
			}
		})
	}
	p := program.New(t, dir)
	p.Prefix = s.prefix
	for _, e := range s.env {
		p.Env = append(p.Env, strings.Replace(e, "@", place, 1))
	}
	locked.GiveDebs(t, p.Store(t))
	return outcome{p.Build(t), p.Store(t)}
}

// compare compares digests, then bytes, and shows the difference of trees.
func compare(t *testing.T, name string, a, b outcome) {
	t.Helper()
	if a.built.Digest != b.built.Digest {
		t.Errorf("%s: the system is %s, not %s", name, b.built.Digest, a.built.Digest)
	}
	for _, tree := range slices.Sorted(maps.Keys(a.built.Trees)) {
		if a.built.Trees[tree] != b.built.Trees[tree] {
			t.Errorf("%s: the %s tree differs\n%s", name, tree, difference(t, a, b, tree))
		}
		sameFile(t, name, a.built.Images[tree], b.built.Images[tree])
	}
	if len(a.built.Trees) != 4 || len(b.built.Trees) != 4 || len(a.built.Images) != 4 {
		t.Errorf("%s: the trees are %v, the images %v", name, b.built.Trees, b.built.Images)
	}
	sameFile(t, name, a.built.Initrd, b.built.Initrd)
	sameFile(t, name, a.built.Kernel, b.built.Kernel)
	sameFile(t, name, a.built.Manifest, b.built.Manifest)
}

func sameFile(t *testing.T, name, a, b string) {
	t.Helper()
	before, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) == 0 || !bytes.Equal(before, after) {
		t.Errorf("%s: %s (%d bytes) and %s (%d bytes) differ", name, a, len(before), b, len(after))
	}
}

// difference lists what two trees of a name do not share, as dumps have it.
func difference(t *testing.T, a, b outcome, name string) string {
	t.Helper()
	trees := [2]*tree.Tree{}
	for i, o := range []outcome{a, b} {
		s, err := store.Open(o.store)
		if err != nil {
			t.Fatal(err)
		}
		if trees[i], err = s.Tree(o.built.Trees[name]); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	var out strings.Builder
	for change := range tree.Diff(trees[0], trees[1]) {
		fmt.Fprintf(&out, "%s: %+v, then %+v\n", change.Path(), change.Old, change.New)
	}
	return out.String()
}
