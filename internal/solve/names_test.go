package solve

import (
	"strings"
	"testing"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// packages reads one package per line: "name version [arch]; Field: value; …".
func packages(t testing.TB, lines ...string) []*debian.Package {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		fields := strings.Split(line, "; ")
		head := strings.Fields(fields[0])
		arch := "amd64"
		if len(head) > 2 {
			arch = head[2]
		}
		b.WriteString("Package: " + head[0] + "\nVersion: " + head[1] + "\nArchitecture: " + arch + "\n")
		b.WriteString("Filename: pool/" + head[0] + "_" + head[1] + "_" + arch + ".deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n")
		for _, f := range fields[1:] {
			b.WriteString(f + "\n")
		}
		b.WriteString("\n")
	}
	pkgs, err := debian.ParsePackages(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// catalogs is a group's of some packages.
func catalogs(packages []*debian.Package) []*catalog.Catalog {
	return []*catalog.Catalog{catalog.New(packages)}
}

// wants makes wishes of "name" or "name=version".
func wants(names ...string) []Want {
	var out []Want
	for _, n := range names {
		name, version, _ := strings.Cut(n, "=")
		out = append(out, Want{Name: name, Version: version, Because: "hello"})
	}
	return out
}

// keys lists a solution as "name" for the candidate architecture amd64 and all,
// "name:arch" for another one, with "=version" when several are about.
func keys(s *Solution, versions bool) string {
	var out []string
	for _, c := range s.Packages {
		k := c.Name
		if c.Architecture != "amd64" && c.Architecture != "all" {
			k += ":" + c.Architecture
		}
		if versions {
			k += "=" + c.Version
		}
		out = append(out, k)
	}
	return strings.Join(out, " ")
}
