package solve

import "testing"

// A lock's package is in the index too; it counts once, and so does what it
// provides. What comes after it keeps its own.
func TestAPackageOfSeveralGroupsCountsOnce(t *testing.T) {
	held := packages(t, "b 1; Provides: v, w (= 2)")
	index := packages(t, "a 1; Provides: v", "b 1; Provides: v, w (= 2)", "c 1; Provides: w (= 1)", "d 1; Depends: w (= 1), v")
	u := NewUniverse(Group{Packages: held, Preferred: true}, Group{Packages: index})
	if n := len(u.packages); n != 4 {
		t.Errorf("%d packages", n)
	}
	var providers string
	for _, text := range []string{"v", "w", "a", "x"} {
		n := u.name(text)
		providers += text + ":"
		for _, p := range n.providers {
			providers += " " + u.packages[p.id].Name
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
	s, err := Solve(u, Request{Wants: wants("d"), Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(s, false); got != "b c d" {
		t.Errorf("got %s", got)
	}
}
