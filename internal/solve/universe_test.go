package solve

import (
	"errors"
	"strings"
	"testing"
)

// A lock's package is in the index too; it counts once, and so does what it
// provides. What comes after it keeps its own.
func TestAPackageOfSeveralGroupsCountsOnce(t *testing.T) {
	held := packages(t, "b 1; Provides: v, w (= 2)")
	index := packages(t, "a 1; Provides: v", "b 1; Provides: v, w (= 2)", "c 1; Provides: w (= 1)", "d 1; Depends: w (= 1), v")
	u := NewUniverse(Group{Catalogs: catalogs(held), Preferred: true}, Group{Catalogs: catalogs(index)})
	v := newView(u, "amd64")
	var providers string
	for _, text := range []string{"v", "w", "a", "x"} {
		n := v.name(text)
		providers += text + ":"
		for _, p := range n.providers {
			providers += " " + v.packages[p.id].Name
			if p.as.Version != "" {
				providers += "=" + p.as.Version
			}
		}
		if n.known() != (text != "x") {
			t.Errorf("%s is known: %v", text, n.known())
		}
		providers += "\n"
	}
	if want := "v: a b\nw: b=2 c=1\na:\nx:\n"; providers != want {
		t.Errorf("got\n%swant\n%s", providers, want)
	}
	if n := len(v.name("b").real); n != 1 {
		t.Errorf("%d packages are called b", n)
	}
	s, err := Solve(u, Request{Wants: wants("d"), Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(s, false); got != "b c d" {
		t.Errorf("got %s", got)
	}
}

// Archives have the same package: a mistyped name is answered with it once.
func TestANameOfSeveralCatalogsIsToldOnce(t *testing.T) {
	u := NewUniverse(Group{Catalogs: append(catalogs(packages(t, "hello 1", "help 1")), catalogs(packages(t, "hello 2"))...)})
	_, err := Solve(u, Request{Wants: wants("hallo"), Architecture: "amd64"})
	var unknown *WantError
	if !errors.As(err, &unknown) || strings.Join(unknown.Similar, " ") != "hello" {
		t.Errorf("got %v", err)
	}
}
