package catalog_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// few are packages in no order; b is there twice, and provides twice what c does.
const few = `
Package: b
Version: 2
Architecture: amd64
Priority: optional
Provides: v (= 1), v (= 2), c
Filename: b_2
SHA256: 0000000000000000000000000000000000000000000000000000000000000000

Package: c
Version: 1
Architecture: amd64
Priority: required
Provides: v
Filename: c_1
SHA256: 0000000000000000000000000000000000000000000000000000000000000000

Package: b
Version: 1
Architecture: amd64
Priority: optional
Essential: yes
Filename: b_1
SHA256: 0000000000000000000000000000000000000000000000000000000000000000

Package: a
Version: 1
Architecture: amd64
Priority: optional
Filename: a_1
SHA256: 0000000000000000000000000000000000000000000000000000000000000000
`

// both gives a catalog as it is made, and as it is kept.
func both(t *testing.T, packages []*debian.Package) map[string]*catalog.Catalog {
	t.Helper()
	made := catalog.New(packages)
	kept, err := read(table(packages))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*catalog.Catalog{"made": made, "kept": kept}
}

func files(packages []*debian.Package) string {
	var all []string
	for _, p := range packages {
		all = append(all, p.Filename)
	}
	return strings.Join(all, " ")
}

func TestPackagesAreFoundByWhatTheyAreCalledAndProvide(t *testing.T) {
	for how, c := range both(t, parse(t, []byte(few))) {
		for _, test := range []struct{ what, have, want string }{
			{"named a", files(c.Named("a")), "a_1"},
			{"named b", files(c.Named("b")), "b_2 b_1"},
			{"named v", files(c.Named("v")), ""},
			{"named x", files(c.Named("x")), ""},
			{"named nothing", files(c.Named("")), ""},
			{"providing v", files(c.Providing("v")), "b_2 c_1"},
			{"providing c", files(c.Providing("c")), "b_2"},
			{"providing a", files(c.Providing("a")), ""},
			{"providing x", files(c.Providing("x")), ""},
			{"eminent", files(c.Eminent()), "c_1 b_1"},
			{"all", files(c.All()), "b_2 b_1 c_1 a_1"},
			{"names", strings.Join(slices.Collect(c.Names()), " "), "b c a"},
		} {
			if test.have != test.want {
				t.Errorf("%s, %s: have %q, want %q", how, test.what, test.have, test.want)
			}
		}
	}
}

func TestAnEmptyCatalogHasNothing(t *testing.T) {
	for how, c := range both(t, nil) {
		if c.Len() != 0 || c.Named("a") != nil || c.Providing("a") != nil || c.Eminent() != nil || c.All() != nil {
			t.Errorf("%s: has something", how)
		}
	}
}

func TestNothingIsMadeThatNobodyAskedFor(t *testing.T) {
	c, err := read(table(parse(t, []byte(few))))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		ask  func() []*debian.Package
		made int
	}{
		{func() []*debian.Package { return nil }, 0},
		{func() []*debian.Package { return c.Named("a") }, 1},
		{func() []*debian.Package { return c.Providing("c") }, 2},
		{c.Eminent, 4},
	} {
		if step.ask(); c.Made() != step.made {
			t.Errorf("%d packages were made, not %d", c.Made(), step.made)
		}
	}
}

func TestAPackageIsMadeOnce(t *testing.T) {
	for how, c := range both(t, parse(t, everyField(5000))) {
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for i := range 5000 {
					name := fmt.Sprintf("p%d", i)
					if p := c.Named(name); len(p) != 1 || p[0].Name != name {
						t.Errorf("%s: %s is %v", how, name, p)
					}
				}
			})
		}
		asking.Wait()
		for i, p := range c.Providing("virtual") {
			if c.Named(p.Name)[0] != p || c.All()[i] != p {
				t.Errorf("%s: there are two of %s", how, p.Name)
			}
		}
	}
}

// BenchmarkNew takes the index that the tests of package solve take.
func BenchmarkNew(b *testing.B) {
	text, err := os.ReadFile("../../.cache/trixie/main-amd64")
	if err != nil {
		b.Fatalf("%v: run make .cache/trixie/main-amd64", err)
	}
	packages := parse(b, text)
	for b.Loop() {
		catalog.New(packages)
	}
}
