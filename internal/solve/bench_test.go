package solve

import (
	"strings"
	"testing"
)

func BenchmarkUniverse(b *testing.B) {
	pkgs, _ := archive(b)
	for b.Loop() {
		NewUniverse(Group{Catalogs: catalogs(pkgs)})
	}
}

func BenchmarkSolve(b *testing.B) {
	pkgs, _ := archive(b)
	u := NewUniverse(Group{Catalogs: catalogs(pkgs)})
	for _, set := range oracleSets {
		b.Run(strings.ReplaceAll(set.name, " ", "-"), func(b *testing.B) {
			req := baseRequest(strings.Fields(set.names), set.recommends)
			n := 0
			for b.Loop() {
				s, err := Solve(u, req)
				if err != nil {
					b.Fatal(err)
				}
				n = len(s.Packages)
			}
			b.ReportMetric(float64(n), "packages")
		})
	}
}

func BenchmarkConfigureOrder(b *testing.B) {
	pkgs, _ := archive(b)
	set := oracleSets[len(oracleSets)-1]
	s, err := Solve(NewUniverse(Group{Catalogs: catalogs(pkgs)}), baseRequest(strings.Fields(set.names), true))
	if err != nil {
		b.Fatal(err)
	}
	members := installed(s)
	for b.Loop() {
		ConfigureOrder(members)
	}
}

// BenchmarkExplain is the slowest answer: two wishes among the base and both
// desktops that cannot be had together.
func BenchmarkExplain(b *testing.B) {
	pkgs, _ := archive(b)
	u := NewUniverse(Group{Catalogs: catalogs(pkgs)})
	req := baseRequest(append(strings.Fields(oracleSets[len(oracleSets)-1].names), "exim4", "postfix"), true)
	for b.Loop() {
		if _, err := Solve(u, req); err == nil {
			b.Fatal("solved")
		}
	}
}
