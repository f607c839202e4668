package build

import (
	"testing"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/solve"
)

func indexOf(id string, standing standing, packages ...*debian.Package) index {
	return index{source{id: id, standing: standing}, []*catalog.Catalog{catalog.New(packages)}}
}

func listed(name, version, architecture, sum string) *debian.Package {
	return &debian.Package{Name: name, Version: version, Architecture: architecture, SHA256: sum, Filename: "pool/" + sum}
}

func TestTheNewestIsOfItsArchitecture(t *testing.T) {
	i := indexOf("trixie", own, listed("curl", "8", "amd64", "1"), listed("curl", "10", "amd64", "2"), listed("curl", "11", "i386", "3"), listed("wget", "12", "amd64", "4"))
	for architecture, want := range map[string]string{"amd64": "10", "i386": "11", "arm64": ""} {
		if have := i.newest("curl", architecture); have != want {
			t.Errorf("%s: have %q, want %q", architecture, have, want)
		}
	}
}

func TestOnlyAnArchiveOfItsOwnIsTakenByItself(t *testing.T) {
	curl := listed("curl", "8", "amd64", "1")
	for name, c := range map[string]struct {
		in   index
		want bool
	}{
		"an archive of its own":               {indexOf("trixie", own, curl), true},
		"backports":                           {indexOf("backports", further, curl), false},
		"one that has another architecture's": {indexOf("trixie", own, listed("curl", "8", "i386", "1")), false},
		"one without it":                      {indexOf("trixie", own, listed("wget", "8", "amd64", "1")), false},
	} {
		if have := ownHas([]index{c.in}, lock.Package{Name: "curl", Architecture: "amd64"}); have != c.want {
			t.Errorf("%s: %t", name, have)
		}
	}
}

func TestAPackageIsOfTheFirstArchiveThatHasIt(t *testing.T) {
	curl, other := listed("curl", "8", "amd64", "1"), listed("curl", "9", "amd64", "2")
	r := &resolver{origins: map[place]string{}}
	r.locate(&solve.Solution{Packages: []solve.Chosen{{Package: *curl}}}, []index{
		indexOf("trixie", own, curl), indexOf("security", own, curl, other), indexOf("third", own, curl, other),
	})
	if r.origins[placeOf(curl)] != "trixie" || r.origins[placeOf(other)] != "security" {
		t.Errorf("have %v", r.origins)
	}
}
